/** A member whose data grows, as people run it: a data directory, a local port, kill -9, and the versions that come of it. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VersionRegistry } from '../../clients/typescript/federation/data/read-versions.js';
import { cutlayerHere } from '../support/command-here.js';
import { type CoordinatorProcess, startCoordinator } from '../support/coordinator-process.js';
import { thoroughSuite } from '../support/exhaustive.js';
import { type FederateEvent, FederateProcess } from '../support/federate-process.js';
import { type GatewayHere, startGatewayHere } from '../support/gateway-here.js';
import { packedFixture } from '../support/packed-fixture.js';

const notes = (part: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${JSON.stringify({ prompt: `Note ${n}: which part?`, completion: ` ${part}` })}\n`).join('');

thoroughSuite('a member whose data grows', function () {
  this.timeout(360_000);
  let dir: string;
  let gateway: GatewayHere;
  let coordinator: CoordinatorProcess;
  let flags: readonly string[];
  const members: FederateProcess[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-growing-'));
    const packed = await packedFixture('llama-tiny');
    gateway = await startGatewayHere({ backboneDir: packed.backboneDir, insecure: true });
    coordinator = await startCoordinator({ flags: ['--insecure'] });
    const identity = join(dir, 'north.key');
    const key = (await cutlayerHere(['client', 'identity', '--out', identity])).stdout.trim();
    const settings = [
      ...['cohort.min=1', 'secureAggregation=null', 'rounds.enlistSeconds=0.1', 'adapter.settings.virtualTokens=3'],
      ...['rounds.trigger.kind=newExamples', 'rounds.trigger.count=10', 'rounds.trigger.members=1'],
      ...['training.steps=10', 'training.batchSize=8', 'training.learningRate=0.05'],
    ];
    const created = await coordinator.run(
      ...['create', '--name', 'growing', '--bundle', packed.bundleDir, '--member', `north=${key}`, '--insecure', '--start'],
      ...settings.flatMap((setting) => ['--set', setting]),
    );
    assert.equal(created.code, 0, created.stderr);
    await writeFile(join(dir, 'gateway-token'), await gateway.token('north'));
    await writeFile(join(dir, 'coordinator-token'), await coordinator.token('north'));
    await mkdir(join(dir, 'data'));
    flags = [
      ...['--federation', created.stdout.trim(), '--coordinator', coordinator.ready.listen, '--coordinator-insecure'],
      ...['--coordinator-token-file', join(dir, 'coordinator-token'), '--identity', identity, '--state-dir', join(dir, 'state')],
      ...['--bundle', packed.bundleDir, '--gateway', gateway.address, '--insecure', '--token-file', join(dir, 'gateway-token')],
      ...['--threads', '1', '--data', join(dir, 'data'), '--held-out-share', '0.3', '--train-on', 'new'],
    ];
  });

  after(async () => {
    for (const member of members) await member.end('SIGKILL');
    await coordinator?.stop();
    await gateway?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const start = (...more: readonly string[]): FederateProcess => {
    const member = new FederateProcess([...flags, ...more]);
    members.push(member);
    return member;
  };
  const isRound = (event: FederateEvent) => event.type === 'round' && event.purpose === 'train';
  const versions = async () => {
    const { code, stdout, stderr } = await cutlayerHere(['client', 'versions', '--state-dir', join(dir, 'state'), '--json']);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as VersionRegistry;
  };

  it('takes examples at its port, trains on them by itself, goes on after kill -9, and lists what became of it', async () => {
    // Enough examples are there when it first asks, so that nothing waits for the next look.
    await writeFile(join(dir, 'data', 'a.jsonl'), notes('pump', 40));
    const first = start('--examples-port', '0');
    const port = await first.when((event) => event.type === 'portOpen');
    assert.ok(port.type === 'portOpen');
    assert.equal((await stat(port.tokenFile)).mode & 0o777, 0o600);
    const authorization = `Bearer ${(await readFile(port.tokenFile, 'utf8')).trim()}`;
    await first.when((event) => event.type === 'promoted' && event.version === 1);
    const status = (await (await fetch(`${port.url}/v1/status`, { headers: { authorization } })).json()) as Record<string, unknown>;
    assert.deepEqual([status.member, status.version], ['north', 1]);
    const posted = await fetch(`${port.url}/v1/examples`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/x-ndjson' },
      body: notes('valve', 40),
    });
    // At once: it begins the next round by itself.
    await first.end('SIGKILL');
    assert.equal(posted.status, 201);
    const second = start('--rounds', '1');
    const round = await second.when(isRound);
    assert.ok(round.type === 'round' && round.version === 1 && round.examples < 80 && round.examples > 20, JSON.stringify(round));
    assert.equal(await second.end(), 0, second.errors);
    const { member, versions: listed } = await versions();
    assert.equal(member, 'north');
    assert.deepEqual(
      listed.map(({ version, parent }) => [version, parent]),
      [
        [0, null],
        [1, 0],
        [2, 1],
      ],
    );
    assert.ok(listed[2]!.gain !== null && Number.isFinite(listed[2]!.forgetting!.loss));
  });

  it('follows a way back to an earlier version with its adapter', async () => {
    const adapter = () => readFile(join(dir, 'state', 'adapter', 'adapter_model.safetensors'));
    const { promoted } = await versions();
    assert.equal(promoted, 2);
    const before = await adapter();
    assert.equal((await coordinator.run('rollback', '--insecure', '--version', '1')).code, 0);
    const member = start();
    await member.when((event) => event.type === 'rolledBack' && event.version === 1);
    await member.end('SIGTERM');
    assert.notDeepEqual(await adapter(), before);
    assert.deepEqual(await adapter(), await readFile(join(dir, 'state', 'versions', 'v000001', 'adapter_model.safetensors')));
    assert.deepEqual(
      (await versions()).versions.map(({ status }) => status),
      ['superseded', 'promoted', 'rolledBack'],
    );
  });

  it('leaves no text in state and log', async () => {
    for (const name of ['log.jsonl', 'member.db', 'rejected.jsonl']) {
      assert.doesNotMatch(await readFile(join(dir, 'state', name), 'latin1'), /pump|valve|which part/i);
    }
  });

  it('says that a file is read once where a flag is about data that grows', async () => {
    const file = flags.map((flag) => (flag === join(dir, 'data') ? join(dir, 'data', 'a.jsonl') : flag));
    const { code, stderr } = await cutlayerHere(['client', 'federate', ...file]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /INVALID_OPTION.*--train-on new: --data .*a\.jsonl is a file, which is read once/s);
  });
});
