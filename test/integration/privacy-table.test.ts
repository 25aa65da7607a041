/** `cutlayer client privacy` at a vendor's gateways, over TLS: kill -9 costs it what was not finished. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PrivacyReport } from '../../src/commands/privacy-table/privacy-report.js';
import { cutlayerHere } from '../support/command-here.js';
import { thoroughSuite } from '../support/exhaustive.js';
import { type GatewayProcess, MAIN, startGateway } from '../support/gateway-process.js';
import { packedFixture } from '../support/packed-fixture.js';
import { writeNotes } from '../support/training-data.js';

thoroughSuite("a privacy table at a vendor's gateways", () => {
  let dir: string;
  const gateways: GatewayProcess[] = [];
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-privacy-gateways-'));
    writeNotes(join(dir, 'train.jsonl'), 4, 1);
    writeNotes(join(dir, 'test.jsonl'), 2, 2);
  });
  after(async () => {
    for (const gateway of gateways) await gateway.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /** The command's options up to its directory, with a gateway of its own for each cut. */
  const commandFor = async (...bottoms: readonly number[]): Promise<readonly string[]> => {
    const models: string[] = [];
    const roots: string[] = [];
    for (const bottom of bottoms) {
      const { backboneDir, bundleDir } = await packedFixture('llama-tiny', { bottom });
      const gateway = await startGateway({ backboneDir });
      gateways.push(gateway);
      const token = join(dir, `token-${gateway.pid}`);
      await writeFile(token, await gateway.token('acme'));
      models.push('--bundle', bundleDir, '--gateway', gateway.address, '--token-file', token);
      roots.push(await readFile(gateway.caFile!, 'utf8'));
    }
    const ca = join(dir, `ca-${bottoms.join('-')}.pem`);
    await writeFile(ca, roots.join(''));
    const data = ['--data', join(dir, 'train.jsonl'), '--test', join(dir, 'test.jsonl'), '--virtual-tokens', '2', '--batch', '2'];
    return ['client', 'privacy', ...models, '--ca', ca, ...data, '--max-records', '2', '--planted', '1', '--threads', '1', '--json'];
  };
  const home = () => ({ CUTLAYER_HOME: join(dir, 'home') });
  /** Starts it in a process of its own, and kills that once it has said something. */
  const killedAt = async (said: RegExp, args: readonly string[]): Promise<void> => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...home() } });
    let text = '';
    for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) {
      text += String(chunk);
      if (said.test(text)) break;
    }
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    assert.match(text, said);
    assert.equal(child.signalCode, 'SIGKILL', text);
  };
  const finished = async (args: readonly string[]): Promise<{ readonly report: PrivacyReport; readonly stderr: string }> => {
    const { code, stdout, stderr } = await cutlayerHere(args, home());
    assert.equal(code, 0, stderr);
    return { report: JSON.parse(stdout) as PrivacyReport, stderr };
  };
  const partsIn = async (out: string) => JSON.parse(await readFile(join(out, 'state.json'), 'utf8')).parts as Record<string, unknown>;

  it('goes on after kill -9 without the settings that were measured', async function () {
    this.timeout(360_000);
    const out = join(dir, 'table');
    const only = ['--steps', '1', '--only', 'A0,A3', '--setting', 'row-noise=0.5'];
    const command = [...(await commandFor(0)), ...only, '--out', out];
    await killedAt(/^2 of 2: k = 0, row-noise=0\.5, about/m, command);
    const before = await partsIn(out);
    const { report, stderr } = await finished(command);
    const { rows, failed } = report;
    assert.deepEqual([rows.map(({ setting }) => setting), failed], [['none', 'row-noise=0.5'], []]);
    for (const { leaks, setting } of rows) {
      // Labels are found from cotangents, and so of what a gateway has answered.
      assert.deepEqual([leaks.tokens?.value, leaks.labels?.attacker, leaks.labels?.value], [1, 'A3', 1], setting);
    }
    // A row has the seconds of its steps: measured again, they would be others.
    const names = Object.keys(before);
    assert.ok(
      names.some((name) => name.startsWith('audited k0-m0-none-')),
      names.join(),
    );
    const after = await partsIn(out);
    assert.deepEqual(Object.fromEntries(names.map((name) => [name, after[name]])), before);
    assert.equal(stderr.match(/^step 1\/1 /gm)?.length, 1, stderr);
  });

  it('gives the figures of an uninterrupted table, killed within a training', async function () {
    this.timeout(600_000);
    const secret = join(dir, 'secret');
    const only = ['--steps', '60', '--only', 'A0,A1,A3,A8', '--setting', 'row-noise=1', '--defence-secret-file', secret];
    const command = [...(await commandFor(0, 1)), ...only];
    const whole = await finished([...command, '--out', join(dir, 'whole')]);
    const broken = [...command, '--out', join(dir, 'broken')];
    // After the first checkpoint of the third row's training.
    await killedAt(/^3 of 4: [\s\S]*^step 5[1-9]\/60 /m, broken);
    const { report, stderr } = await finished(broken);
    assert.match(stderr, /^resuming after step 50$/m);
    assert.equal(stderr.match(/^\d of 4: /gm)?.length, 4);
    const untimed = (table: PrivacyReport) => table.rows.map(({ cost: { secondsPerStep: _, ...cost }, ...row }) => ({ ...row, cost }));
    assert.deepEqual(untimed(report), untimed(whole.report));
    assert.deepEqual(
      report.rows.map(({ cut, setting }) => `${cut.bottom} ${setting}`),
      ['0 none', '0 row-noise=1', '1 none', '1 row-noise=1'],
    );
  });
});
