/** A federation as its members run it: gateway, coordinator and three participants in processes of their own, over TLS, and kill -9. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { trainedDefences } from '../../clients/typescript/adapters/trained-on.js';
import { parseRecorded } from '../../clients/typescript/defences/recorded.js';
import { flatValues } from '../../clients/typescript/federation/federated-adapter.js';
import { MemberStore } from '../../clients/typescript/federation/member-store.js';
import { ClientBundle, loadAdapter } from '../../clients/typescript/index.js';
import type { FederationReport } from '../../src/coordinator/coordinator-api.js';
import type { SignedBroadcast } from '../../src/protocol/federation/chain.js';
import { cutlayerHere } from '../support/command-here.js';
import { type CoordinatorProcess, startCoordinator } from '../support/coordinator-process.js';
import { thoroughSuite } from '../support/exhaustive.js';
import { FederateProcess } from '../support/federate-process.js';
import { type GatewayProcess, startGateway } from '../support/gateway-process.js';
import { packedFixture } from '../support/packed-fixture.js';
import { writeNotes } from '../support/training-data.js';

const sites = ['north', 'east', 'south'] as const;

thoroughSuite('a federation of processes', function () {
  this.timeout(600_000);
  let dir: string;
  let bundleDir: string;
  let gateway: GatewayProcess;
  let coordinator: CoordinatorProcess;
  let federation: string;
  const members: FederateProcess[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-members-'));
    const packed = await packedFixture('llama-tiny');
    bundleDir = packed.bundleDir;
    gateway = await startGateway({ backboneDir: packed.backboneDir, stateDir: join(dir, 'gateway') });
    coordinator = await startCoordinator();
    const roster: string[] = [];
    for (const site of sites) {
      const { code, stdout } = await cutlayerHere(['client', 'identity', '--out', join(dir, `${site}.key`)]);
      assert.equal(code, 0);
      roster.push('--member', `${site}=${stdout.trim()}`);
      await writeFile(join(dir, `${site}.gateway-token`), await gateway.token(site));
      await writeFile(join(dir, `${site}.coordinator-token`), await coordinator.token(site));
      writeNotes(join(dir, `${site}.jsonl`), 32, sites.indexOf(site) + 1);
      writeNotes(join(dir, `${site}-held-out.jsonl`), 8, sites.indexOf(site) + 11);
    }
    const settings = {
      name: 'notes',
      rounds: { count: 2, enlistSeconds: 1, stageSeconds: 60 },
      training: { batchSize: 4, epochs: 2, learningRate: 0.02 },
    };
    await writeFile(join(dir, 'federation.yaml'), JSON.stringify({ ...settings, adapter: { settings: { virtualTokens: 3 } } }));
    const created = await coordinator.run('create', '--config', join(dir, 'federation.yaml'), '--bundle', bundleDir, ...roster, '--start');
    assert.equal(created.code, 0, created.stderr);
    federation = created.stdout.trim();
  });

  after(async () => {
    for (const member of members) await member.end('SIGKILL');
    await coordinator?.stop();
    await gateway?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const flags = (site: string): string[] => [
    ...['--federation', federation, '--coordinator', coordinator.ready.listen, '--coordinator-ca', coordinator.ready.caFile!],
    ...[
      '--coordinator-token-file',
      join(dir, `${site}.coordinator-token`),
      '--identity',
      join(dir, `${site}.key`),
      '--state-dir',
      join(dir, site),
    ],
    ...[
      '--bundle',
      bundleDir,
      '--gateway',
      gateway.address,
      '--ca',
      gateway.caFile!,
      '--token-file',
      join(dir, `${site}.gateway-token`),
      '--threads',
      '1',
    ],
    ...['--data', join(dir, `${site}.jsonl`), '--held-out', join(dir, `${site}-held-out.jsonl`), '--checkpoint-every', '2'],
  ];
  /** One of them asks for noise of its own. */
  const noise = ['--token-noise', '0.1', '--label-noise', '6'];
  const start = (site: string): FederateProcess => {
    const member = new FederateProcess([...flags(site), ...(site === 'north' ? noise : [])]);
    members.push(member);
    return member;
  };

  it('outlives kill -9 of a member in training, of the coordinator and of the gateway, and all have the same adapter', async () => {
    const [north, east, south] = sites.map(start) as [FederateProcess, FederateProcess, FederateProcess];
    await north.when((event) => event.type === 'step' && event.stepInRound >= 3);
    await north.end('SIGKILL');
    const second = await cutlayerHere(['client', 'federate', ...flags('east')]);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /ALREADY_EXISTS.*has been taking part in a federation here since.*another --state-dir/s);
    await coordinator.kill();
    coordinator = await coordinator.restart();
    await gateway.kill();
    gateway = await gateway.restart();
    const again = start('north');
    for (const member of [again, east, south]) assert.equal(await member.end(), 0, member.errors);
    const steps = again.events.flatMap((event) => (event.type === 'step' && event.round === 1 ? [event.stepInRound] : []));
    assert.ok(steps.length > 0 && steps[0]! >= 3, `went on from its checkpoint with step ${steps[0]}`);
    const summary = again.events.at(-1);
    assert.ok(summary?.type === 'summary' && summary.stopped === 'finished' && summary.rounds === 2, JSON.stringify(summary));
    assert.match(again.errors, /^token-noise: \(token, epsilon \d+\.\d{3}, delta 1e-5\) each time/m);
    assert.match(again.errors, /^note: label-noise: \(label, epsilon 6, delta 0\)/m);
    assert.doesNotMatch(east.errors, /-noise/);
    const recorded = async (site: string) => parseRecorded(await trainedDefences(join(dir, site, 'adapter'))).map(({ name }) => name);
    assert.deepEqual([await recorded('north'), await recorded('east')], [['label-noise', 'token-noise'], []]);
    const aggregates = again.events.filter((event) => event.type === 'aggregate');
    assert.deepEqual(
      aggregates.map(({ participants }) => participants.toSorted()),
      [sites.toSorted(), sites.toSorted()],
      'nobody was lost',
    );
    const bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    const adapters = await Promise.all(sites.map((site) => loadAdapter(join(dir, site, 'adapter'), { bundle })));
    const [first, ...others] = adapters.map(flatValues);
    for (const other of others) assert.deepEqual(other, first);
    await bundle.close();
    const { code, stdout, stderr } = await cutlayerHere([
      ...[
        'client',
        'eval',
        '--bundle',
        bundleDir,
        '--gateway',
        gateway.address,
        '--ca',
        gateway.caFile!,
        '--token-file',
        join(dir, 'north.gateway-token'),
      ],
      ...['--data', join(dir, 'north-held-out.jsonl'), '--adapter', join(dir, 'north', 'adapter'), '--json'],
    ]);
    assert.equal(code, 0, stderr);
    assert.ok((JSON.parse(stdout) as { readonly loss: number }).loss > 0);
  });

  it('is exported as every member has it: the same adapter, and the same chain from the first broadcast to the last', async () => {
    const out = join(dir, 'exported');
    const { code, stderr } = await coordinator.run('export', '--bundle', bundleDir, '--out', out);
    assert.equal(code, 0, stderr);
    const chain = await readFile(join(out, 'chain.jsonl'), 'utf8');
    const adapter = await readFile(join(out, 'adapter', 'adapter_model.safetensors'));
    for (const site of sites) {
      const state = MemberStore.readOnly(join(dir, site));
      const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
      const broadcasts = state.all<SignedBroadcast>('SELECT bytes, signature FROM chain ORDER BY seq');
      await state.close();
      assert.equal(
        broadcasts.map(({ bytes, signature }) => `${JSON.stringify({ bytes: text(bytes), signature: text(signature) })}\n`).join(''),
        chain,
        site,
      );
      assert.deepEqual(await readFile(join(dir, site, 'adapter', 'adapter_model.safetensors')), adapter, site);
    }
    const { stdout } = await coordinator.run('status', '--json');
    const { state, versions } = JSON.parse(stdout) as FederationReport;
    assert.deepEqual([state, versions.length], ['finished', 3], stdout);
  });

  it('keeps secrets to the owner, and no text in its log', async () => {
    for (const name of ['member.db', 'log.jsonl']) assert.equal((await stat(join(dir, 'north', name))).mode & 0o077, 0, name);
    const log = await readFile(join(dir, 'north', 'log.jsonl'), 'utf8');
    assert.match(log, /"type":"submitted"/);
    assert.doesNotMatch(log, /pump|valve|sensor|tokenIds/);
  });

  it('refuses an identity that is not on the roster, and says what to do', async () => {
    const stranger = join(dir, 'stranger.key');
    await cutlayerHere(['client', 'identity', '--out', stranger]);
    const args = flags('east').map((flag) =>
      flag === join(dir, 'east.key') ? stranger : flag === join(dir, 'east') ? join(dir, 'elsewhere') : flag,
    );
    const { code, stderr } = await cutlayerHere(['client', 'federate', ...args]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /NOT_A_MEMBER.*no member on its roster \(north, east, south\) has the key [0-9a-f]{64}; use the identity whose public key you gave/s,
    );
  });
});
