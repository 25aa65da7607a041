/** `cutlayer client improve` as people run it: cron, a local port with feedback, kill -9 in the midst, and the way back. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { MigrationReport } from '../../clients/typescript/cli/migrate/migration-report.js';
import { endProcess, readyLine, startNode } from '../../demo/server-process.js';
import { cutlayerHere } from '../support/command-here.js';
import { thorough } from '../support/exhaustive.js';
import { type GatewayHere, startGatewayHere } from '../support/gateway-here.js';
import { MAIN } from '../support/gateway-process.js';
import { packedFixture } from '../support/packed-fixture.js';

type Line = { readonly type: string } & Readonly<Record<string, unknown>>;

const notes = (part: string, from: number, count: number) =>
  Array.from({ length: count }, (_, n) => `${JSON.stringify({ prompt: `Note ${from + n}: which part?`, completion: ` ${part}` })}\n`).join(
    '',
  );

describe('improvement of one client, by its commands', function () {
  this.timeout(180_000);
  let dir: string;
  let gateway: GatewayHere;
  let connection: readonly string[];
  const children: ChildProcess[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-improving-'));
    const packed = await packedFixture('llama-tiny');
    gateway = await startGatewayHere({ backboneDir: packed.backboneDir, insecure: true });
    await writeFile(join(dir, 'token'), await gateway.token('acme'));
    connection = [
      '--bundle',
      packed.bundleDir,
      '--gateway',
      gateway.address,
      '--insecure',
      '--token-file',
      join(dir, 'token'),
      '--threads',
      '1',
    ];
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await gateway?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const state = () => join(dir, 'state');
  const settings = ['--virtual-tokens', '3', '--lr', '0.05', '--steps', '8', '--held-out-share', '0.3', '--min-new', '10'];
  const run = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await cutlayerHere(['client', ...args]);
    assert.equal(code, 0, stderr);
    return {
      stderr,
      lines:
        stdout.trim() === ''
          ? []
          : stdout
              .trim()
              .split('\n')
              .map((line) => JSON.parse(line) as Line),
    };
  };
  const improve = (...args: readonly string[]) => run('improve', '--dir', state(), ...connection, ...settings, '--json', ...args);
  const versions = async () =>
    (await run('versions', state(), '--json')).lines[0] as unknown as { promoted: number; versions: { status: string }[] };

  it('trains once by cron, promotes what is better on held-out examples, repeats nothing, and goes back', async () => {
    await writeFile(join(dir, 'data.jsonl'), notes('pump', 0, 40));
    const first = await improve('--data', join(dir, 'data.jsonl'), '--once');
    assert.deepEqual(
      first.lines.map(({ type }) => type),
      ['taken', 'run', 'judged'],
    );
    const judged = first.lines[2]!;
    assert.equal(judged.promote, true, String(judged.reasons));
    const again = await run('improve', '--config', join(state(), 'config.yaml'), '--once', '--json');
    assert.deepEqual(
      again.lines.map(({ type }) => type),
      ['nothing'],
    );
    const measured = (await run('eval', ...connection, '--adapter', state(), '--data', join(dir, 'data.jsonl'), '--json')).lines[0]!;
    const { promoted } = judged as unknown as { readonly promoted: { readonly current: { readonly loss: number } } };
    assert.ok(Number(measured.loss) < promoted.current.loss, `loss ${measured.loss}`);
    await run('improve', '--dir', state(), '--rollback', '0', '--json');
    assert.equal((await versions()).promoted, 0);
    await run('improve', '--dir', state(), '--rollback', '1', '--json');
    const { stderr } = await run('improve', '--dir', state(), '--rollback', '1');
    assert.match(stderr, /promoted: version 1 \(before: version 1\)/);
    assert.equal(await readlink(join(state(), 'adapter')), 'versions/v000001');
  });

  /** The vendor's next model: the same one, cut elsewhere. */
  const withNext = async (
    work: (to: readonly string[], migrate: (from: string, out: string) => Promise<MigrationReport>) => Promise<void>,
  ) => {
    const next = await packedFixture('llama-tiny', { bottom: 1, top: 1 });
    const other = await startGatewayHere({ backboneDir: next.backboneDir, insecure: true });
    try {
      const token = join(dir, 'next-token');
      await writeFile(token, await other.token('acme'));
      const to = ['--bundle', next.bundleDir, '--gateway', other.address, '--insecure', '--token-file', token, '--threads', '1'];
      await work(to, async (from, out) => {
        const { lines } = await run('migrate', '--run', from, '--out', out, ...to, '--json');
        return lines[0] as unknown as MigrationReport;
      });
    } finally {
      await other.stop();
    }
  };

  thorough("migrates to the vendor's next model from its own examples, and compares the scores", () =>
    withNext(async (to, migrate) => {
      const refused = await cutlayerHere(['client', 'improve', '--config', join(state(), 'config.yaml'), '--once', ...to]);
      assert.match(refused.stderr, /BACKBONE_MISMATCH.*was begun with backbone/s);
      const improved = await migrate(state(), join(dir, 'state2'));
      assert.notEqual(improved.old.backboneDigest, improved.new.backboneDigest);
      // One model cut elsewhere: what is trained from the same values on the same examples scores alike.
      assert.ok(Math.abs(improved.new.score!.loss - improved.old.score!.loss) < 0.05, JSON.stringify(improved));
      const again = await migrate(state(), join(dir, 'state2'));
      assert.deepEqual(again.new, improved.new, 'a second call repeats nothing');
    }),
  );

  thorough("migrates a run of train to the vendor's next model, and compares the scores", () =>
    withNext(async (to, migrate) => {
      await writeFile(join(dir, 'valid.jsonl'), notes('pump', 500, 10));
      const train = [
        'train',
        '--data',
        join(dir, 'data.jsonl'),
        '--validation',
        join(dir, 'valid.jsonl'),
        '--steps',
        '4',
        '--virtual-tokens',
        '3',
      ];
      await run(...train, ...connection, '--out', join(dir, 'run1'));
      const trained = await migrate(join(dir, 'run1'), join(dir, 'run2'));
      assert.ok(Math.abs(trained.new.score!.loss - trained.old.score!.loss) < 0.05, JSON.stringify(trained));
      assert.deepEqual(trained.notes, []);
      const { stdout } = await cutlayerHere(['client', 'migrate', '--run', join(dir, 'run1'), '--out', join(dir, 'run2'), ...to]);
      assert.match(stdout, /^ +backbone +loss +token accuracy +exact match\nold +[0-9a-f]{12} +\d\.\d{4} /);
    }),
  );

  it('refuses by name what the new bundle cannot do', async () => {
    const run1 = join(dir, 'lora1');
    await mkdir(run1);
    await writeFile(join(run1, 'config.yaml'), `data: ${join(dir, 'data.jsonl')}\nmethod: lora\nrank: 2\nout: ${run1}\n`);
    const { code, stderr } = await cutlayerHere(['client', 'migrate', '--run', run1, '--out', join(dir, 'lora2'), ...connection]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /the new bundle cannot do what .*lora1 did: lora: this bundle holds no blocks/);
    const same = await cutlayerHere(['client', 'migrate', '--run', run1, '--out', run1, ...connection]);
    assert.match(same.stderr, /--out .*lora1: expected another directory than --run/);
    const none = await cutlayerHere(['client', 'migrate', '--run', dir, '--out', run1, ...connection]);
    assert.match(none.stderr, /--run .*: has no config\.yaml; give the --out of train, or the --dir of improve/);
  });

  thorough('takes at its next look the feedback that client serve has kept for it', async () => {
    const flags = [...connection, '--adapter', `tickets=${state()}`, '--feedback', state(), '--no-key', '--port', '0', '--json'];
    const serve = startNode(MAIN, ['client', 'serve', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const { url } = await readyLine<{ readonly url: string }>(serve, () => new Error('serve ended before it was ready'));
      const verdicts = ['accepted', { corrected: ' valve' }, { rating: 1 }];
      const body = verdicts.map((verdict, n) => ({ prompt: `Seen ${n}: which part?`, completion: ' pump', verdict, id: `cmpl-${n}` }));
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${url}/feedback`, { method: 'POST', body: JSON.stringify(body), headers });
      assert.deepEqual([answer.status, await answer.json()], [201, { accepted: 3, duplicates: 0, rejected: 0, problems: [] }]);
    } finally {
      await endProcess(serve, 'SIGTERM');
    }
    const { lines } = await improve('--once');
    assert.deepEqual(
      lines.map(({ type, accepted }) => [type, accepted]),
      [
        ['taken', 3],
        ['nothing', undefined],
      ],
    );
  });

  thorough('takes examples and feedback at its port, encrypted; kill -9 while training and promoting loses nothing', async () => {
    await rm(state(), { recursive: true, force: true });
    await writeFile(join(dir, 'passphrase'), 'correct horse battery staple\n');
    const start = () => {
      const child = spawn(
        process.execPath,
        [
          MAIN,
          'client',
          'improve',
          '--dir',
          state(),
          ...connection,
          ...settings,
          '--poll',
          '0.2',
          '--examples-port',
          '0',
          '--json',
          '--checkpoint-every',
          '2',
          '--passphrase-file',
          join(dir, 'passphrase'),
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      children.push(child);
      const lines = createInterface({ input: child.stdout });
      const seen: Line[] = [];
      const waiting: (() => void)[] = [];
      lines.on('line', (line) => {
        seen.push(JSON.parse(line) as Line);
        for (const look of waiting) look();
      });
      const when = (type: string) =>
        new Promise<Line>((resolve, reject) => {
          const look = () => {
            const found = seen.find((line) => line.type === type);
            if (found !== undefined) resolve(found);
          };
          waiting.push(look);
          child.once('exit', (code) => reject(new Error(`ended with ${code}`)));
          look();
        });
      const kill = async () => {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      };
      return { when, kill };
    };
    const send = async (port: Line, path: string, body: string) => {
      const authorization = `Bearer ${(await readFile(String(port.tokenFile), 'utf8')).trim()}`;
      const headers = { authorization, 'content-type': 'application/x-ndjson' };
      return (await fetch(`${String(port.url)}${path}`, { method: 'POST', headers, body })).status;
    };
    let process_ = start();
    let port = await process_.when('portOpen');
    assert.equal(await send(port, '/v1/examples', notes('pump', 0, 40)), 201);
    const said = Array.from({ length: 20 }, (_, n) =>
      JSON.stringify({ prompt: `Note ${100 + n}: which part?`, completion: ' pipe', verdict: { corrected: ' pump' } }),
    ).join('\n');
    assert.equal(await send(port, '/v1/feedback', said), 201);
    await process_.when('run');
    await process_.kill();
    process_ = start();
    const resumed = await process_.when('run');
    assert.equal(resumed.resumed, true);
    const judged = await process_.when('judged');
    await process_.kill(); // at the promotion
    process_ = start();
    port = await process_.when('portOpen');
    const listed = await versions();
    assert.equal(listed.promoted, judged.promote === true ? 1 : 0);
    assert.equal(await send(port, '/v1/examples', notes('pump', 0, 40)), 200, 'all are there');
    await process_.kill();
    assert.ok(!(await readFile(join(state(), 'examples.jsonl'), 'utf8')).includes('which part'));
  });
});
