/**
 * `cutlayer coordinator` as founders and operators use it: real processes, real TLS, real tokens.
 */
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { loadAdapter } from '../../../clients/typescript/adapters/load.js';
import { defaultLearningRate } from '../../../clients/typescript/adapters/registry.js';
import { flatValues } from '../../../clients/typescript/federation/federated-adapter.js';
import { ClientBundle } from '../../../clients/typescript/model/client-bundle.js';
import { readSettings } from '../../../src/commands/coordinator/settings-input.js';
import { openManifest, parametersDigest } from '../../../src/protocol/federation/manifest.js';
import { generateIdentity, type IdentityKey } from '../../../src/protocol/secagg/signature.js';
import { readTensors } from '../../../src/safetensors/tensors-file.js';
import { cutlayerHere } from '../../support/command-here.js';
import { type CoordinatorProcess, startCoordinator } from '../../support/coordinator-process.js';
import { thorough } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { openFederation, proverFor } from '../../support/scripted-coordinator.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('cutlayer coordinator', function () {
  this.timeout(180_000);
  let running: CoordinatorProcess;
  let dir: string;
  let bundle: string;
  let federation: string;
  const identities = new Map<string, IdentityKey>(['north', 'south', 'west'].map((name) => [name, generateIdentity()]));
  const members = [...identities].flatMap(([name, { publicKey }]) => ['--member', `${name}=${hex(publicKey)}`]);

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-founder-'));
    bundle = (await packedFixture('llama-tiny')).bundleDir;
    running = await startCoordinator();
  });
  after(async () => {
    await running.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const channelOf = async (member: string) => {
    const prover = proverFor(identities.get(member) ?? generateIdentity(), async (id) => {
      const { challenge } = await channel.call('GetChallenge', { federation: id });
      return challenge;
    });
    const channel: Awaited<ReturnType<typeof openFederation>> = await openFederation(
      running.ready.listen,
      running.ready.caFile!,
      await running.token(member),
      prover,
    );
    return channel;
  };

  it('teaches with examples in every help', async () => {
    for (const command of [[], ['serve'], ['create'], ['status'], ['start'], ['stop'], ['skip'], ['rollback'], ['export'], ['token']]) {
      const { code, stdout } = await cutlayerHere(['coordinator', ...command, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, /\$ .*cutlayer coordinator /, command.join(' '));
    }
  });

  it('says where it answers in one JSON line, and keeps its secrets for its owner alone', async () => {
    assert.equal(running.ready.tls, true);
    assert.match(running.ready.publicKey, /^[0-9a-f]{64}$/);
    assert.equal((await fetch(`http://${running.ready.admin}/healthz`)).status, 200);
    assert.equal(running.ready.database, join(running.stateDir, 'coordinator.db'));
    for (const name of await readdir(running.stateDir)) {
      if (/key|\.db/.test(name)) assert.equal((await stat(join(running.stateDir, name))).mode & 0o077, 0, name);
    }
  });

  it('says that it has no federation yet, and how to make one', async () => {
    const { code, stdout } = await running.run('status');
    assert.deepEqual([code, stdout], [0, 'no federation yet; make one with cutlayer coordinator create\n']);
    const start = await running.run('start');
    assert.equal(start.code, 1);
    assert.match(start.stderr, /error NOT_FOUND: the coordinator has no federation yet; make one with/);
  });

  it('creates a federation from a file and flags, and prints the id that its manifest hashes to', async () => {
    const config = join(dir, 'federation.yaml');
    await writeFile(
      config,
      'name: from the file\nadapter: { settings: { virtual-tokens: 3 }, method: prefix-tuning }\nrounds: { count: 7, enlistSeconds: 5 }\n',
    );
    const flags = ['--config', config, '--name', 'ward notes', '--rounds', '9', '--set', 'training.steps=2'];
    const { code, stdout, stderr } = await running.run('create', '--bundle', bundle, ...members, ...flags);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^[0-9a-f]{64}\n$/);
    federation = stdout.trim();
    assert.match(stderr, /^created ward notes: 3 members, prefix-tuning, updates of \d+ values; begin with: cutlayer coordinator start/);
    const north = await channelOf('north');
    const signed = (await north.call('GetFederation', { federation })).manifest!;
    north.close();
    const { manifest } = openManifest(signed, federation);
    assert.equal(manifest.coordinatorKey, running.ready.publicKey);
    assert.deepEqual(
      manifest.members,
      [...identities].map(([name, { publicKey }]) => ({ name, publicKey: hex(publicKey) })),
    );
    assert.deepEqual([manifest.settings.rounds.count, manifest.settings.rounds.enlistSeconds, manifest.settings.training.steps], [9, 5, 2]);
    assert.ok(manifest.parameters[0]!.shape.includes(3), String(manifest.parameters[0]!.shape));
    // None was given: the method's own rate, and not that of prompt tuning.
    assert.equal(manifest.settings.training.learningRate, defaultLearningRate('prefix-tuning'));
    const opened = await ClientBundle.open(bundle, { threads: 1 });
    assert.equal(manifest.backboneDigest, opened.manifest.backboneDigest);
    await opened.close();
  });

  it('prints all settings as a file from which the same federation can be created, and creates nothing', async () => {
    const { code, stdout } = await running.run(
      'create',
      '--name',
      'mail',
      '--method',
      'lora',
      '--set',
      'strategy.kind=fedadam',
      '--print-config',
    );
    assert.equal(code, 0);
    const config = join(dir, 'printed.yaml');
    await writeFile(config, stdout);
    const { settings } = await readSettings({ file: config, single: [] });
    const given = await readSettings({ single: ['name=mail', 'strategy.kind=fedadam', 'adapter.method=lora'] });
    assert.deepEqual(settings, { ...given.settings, training: { ...given.settings.training, learningRate: defaultLearningRate('lora') } });
    assert.equal((await running.run('status', '--json')).stdout.trim().split('\n').length, 1);
  });

  it('shows a federation that has not begun, begins it, and shows who is waited for', async () => {
    const before = await running.run('status', '--json');
    assert.equal(JSON.parse(before.stdout).state, 'created');
    const started = await running.run('start', '--federation', federation.slice(0, 8));
    assert.equal(started.code, 0, started.stderr);
    assert.match(started.stdout, /^ward notes: running/);
    const shown = await running.run('status', '--federation', 'ward notes');
    assert.match(shown.stdout, /^ward notes\n {2}federation {2}[0-9a-f]{64}\n {2}state {7}running/);
    assert.match(shown.stdout, /\n {2}version +from +round/);
    assert.match(shown.stdout, /\n {2}0 +- +- +0 +promoted/);
  });

  it('answers a member over TLS with what it is to do, and no other', async () => {
    const north = await channelOf('north');
    const answer = await north.call('NextTask', { federation, waitMs: 20_000, broadcastsKnown: 0 });
    assert.ok(answer.broadcasts >= 1, `${answer.broadcasts} broadcasts`);
    north.close();
    const stranger = await channelOf('east');
    await assert.rejects(stranger.call('NextTask', { federation }), { code: 'NOT_FOUND' });
    stranger.close();
  });

  it('exports a version with the chain that proves it, and the adapter as PEFT reads it', async () => {
    const out = join(dir, 'version-0');
    const { code, stdout, stderr } = await running.run('export', '--out', out, '--bundle', bundle, '--json');
    assert.equal(code, 0, stderr);
    const exported = JSON.parse(stdout);
    assert.deepEqual([exported.version, exported.adapter], [0, join(out, 'adapter')]);
    const manifestBytes = await readFile(join(out, 'manifest.json'));
    const signature = Buffer.from((await readFile(join(out, 'manifest.sig'), 'utf8')).trim(), 'hex');
    const { manifest } = openManifest({ bytes: manifestBytes, signature }, federation);
    const { tensors } = await readTensors(join(out, 'parameters.safetensors'));
    const [parameter] = manifest.parameters;
    assert.deepEqual(tensors.get(parameter!.name)!.shape, parameter!.shape);
    const opened = await ClientBundle.open(bundle, { threads: 1 });
    const adapter = await loadAdapter(join(out, 'adapter'), { bundle: opened });
    assert.equal(parametersDigest(flatValues(adapter)), manifest.initialDigest);
    await opened.close();
    assert.equal((await readFile(join(out, 'chain.jsonl'), 'utf8')).trim().split('\n').length >= 1, true);
    const again = await running.run('export', '--out', out);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /error ALREADY_EXISTS: .*holds files already; choose a new directory/);
  });

  it('pauses, goes on, and ends for good', async () => {
    assert.match((await running.run('stop')).stdout, /^ward notes: paused/);
    assert.match((await running.run('start')).stdout, /^ward notes: running/);
    const early = await running.run('skip', 'north');
    assert.equal(early.code, 1);
    assert.match(early.stderr, /error ROUND_REFUSED: skip: round \d+: enlisting needs 3 members, and without north there are at most 2/);
    const stranger = await running.run('skip', 'nobody');
    assert.match(stranger.stderr, /error NOT_A_MEMBER: skip: nobody is not on the roster/);
    const killed = await running.run('rollback', '--version', '5');
    assert.equal(killed.code, 1);
    assert.match(killed.stderr, /error (NOT_FOUND|INVALID_ARGUMENT): .*5/);
  });

  thorough('goes on after kill -9 with what it had, under the same key and address', async () => {
    const before = JSON.parse((await running.run('status', '--json')).stdout);
    await running.kill();
    const gone = await running.run('status');
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /error UNAVAILABLE: coordinator .*: nothing listens there, or it refuses connections .*\nhint: /);
    const publicKey = running.ready.publicKey;
    running = await running.restart();
    assert.equal(running.ready.publicKey, publicKey);
    const after = JSON.parse((await running.run('status', '--json')).stdout);
    assert.deepEqual(
      [after.federation, after.name, after.state, after.versions],
      [before.federation, before.name, before.state, before.versions],
    );
  });

  it('is steered from another machine with an address and an admin token, and by no member', async () => {
    const admin = join(dir, 'admin.token');
    const member = join(dir, 'member.token');
    await writeFile(admin, (await running.run('token', '--admin', 'alice')).stdout);
    await writeFile(member, (await running.run('token', '--member', 'north', '--ttl', '15m')).stdout);
    const claims = decodeJwt(await readFile(member, 'utf8'));
    assert.deepEqual([claims.tenant, claims.scope, claims.exp! - claims.iat!], ['north', 'federate', 900]);
    const elsewhere = (tokenFile: string) =>
      cutlayerHere([
        ...['coordinator', 'status', '--coordinator', running.ready.listen, '--ca', running.ready.caFile!],
        ...['--token-file', tokenFile, '--state-dir', join(dir, 'nothing'), '--json'],
      ]);
    assert.equal(JSON.parse((await elsewhere(admin)).stdout).federation, federation);
    const refused = await elsewhere(member);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /error SCOPE_MISSING: .*scope admin\nhint: .*coordinator token --member or --admin/);
  });

  it('is steered with the key of its founder, and by no other admin token', async () => {
    const steered = (name: string) =>
      cutlayerHere([
        ...['coordinator', 'stop', '--coordinator', running.ready.listen, '--ca', running.ready.caFile!, '--json'],
        ...['--token-file', join(dir, 'admin.token'), '--state-dir', join(dir, name)],
      ]);
    const keyless = await steered('nothing');
    assert.equal(keyless.code, 1);
    assert.match(keyless.stderr, /error NOT_THE_FOUNDER: .*no founder-key\.hex here.*pass the --state-dir with which it was created/);
    for (const name of ['another-founder', 'own-machine']) await mkdir(join(dir, name), { mode: 0o700 });
    await writeFile(join(dir, 'another-founder', 'founder-key.hex'), `${'ab'.repeat(32)}\n`, { mode: 0o600 });
    const another = await steered('another-founder');
    assert.equal(another.code, 1);
    assert.match(another.stderr, /error NOT_THE_FOUNDER: federation [0-9a-f]{64}: expected a pause signed by its founder's key/);
    assert.equal(JSON.parse((await running.run('status', '--json')).stdout).state, 'running');
    await copyFile(join(running.stateDir, 'founder-key.hex'), join(dir, 'own-machine', 'founder-key.hex'));
    assert.equal(JSON.parse((await steered('own-machine')).stdout).state, 'paused');
  });

  const wrong: readonly [string, () => readonly string[], number, RegExp][] = [
    ['serve at no address', () => ['serve', '--listen', 'here'], 2, /INVALID_OPTION: --listen: expected HOST:PORT/],
    ['serve without TLS to everybody', () => ['serve', '--insecure', '--listen', '0.0.0.0:0'], 2, /--insecure: .*updates and tokens/],
    ['serve with a certificate without key', () => ['serve', '--tls-cert', 'x.pem'], 2, /--tls-cert and --tls-key together/],
    ['serve twice on one state', () => ['serve', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'], 1, /STORE_IN_USE/],
    ['create without a bundle', () => ['create', '--name', 'x', ...members], 2, /--bundle: a federation needs the client bundle/],
    ['create without members', () => ['create', '--bundle', bundle, '--name', 'x'], 2, /--member: a federation needs members/],
    [
      'create with too few members',
      () => ['create', '--bundle', bundle, '--name', 'x', ...members.slice(0, 4)],
      1,
      /members: expected at least 3 \(cohort\.min\), got 2/,
    ],
    ['create without a name', () => ['create', '--bundle', bundle, ...members], 2, /name: a federation needs one/],
    ['create from no bundle', () => ['create', '--bundle', '/nowhere', '--name', 'x', ...members], 1, /NOT_FOUND: /],
    ['create with an unknown method', () => ['create', '--bundle', bundle, '--name', 'x', '--method', 'magic', ...members], 1, /magic/],
    [
      'create with an unknown setting',
      () => ['create', '--bundle', bundle, '--name', 'x', '--set', 'training.lr=1', ...members],
      2,
      /--set training\.lr: there is no such setting/,
    ],
    [
      'status of another federation',
      () => ['status', '--federation', 'nobody'],
      1,
      /there is no nobody; expected one of [0-9a-f]{12} \(ward/,
    ],
    ['start of another federation', () => ['start', '--federation', 'ffff0000'], 1, /there is no ffff0000/],
    ['stop with an unknown flag', () => ['stop', '--now'], 2, /unknown option '--now'/],
    ['skip of no member', () => ['skip'], 2, /member/],
    ['rollback to no version', () => ['rollback'], 2, /--version/],
    ['rollback to a word', () => ['rollback', '--version', 'old'], 2, /--version: expected the number of a version, got old/],
    ['export of a version that is not', () => ['export', '--version', '99', '--out', join(dir, 'x')], 1, /NOT_FOUND: version 99/],
    ['export to nowhere', () => ['export'], 2, /--out/],
    ['export over a file', () => ['export', '--out', join(running.stateDir, 'identity.json')], 1, /IO_ERROR: .*expected a directory/],
    ['token for nobody', () => ['token'], 2, /either --member NAME, for a participant, or --admin/],
    ['token for two', () => ['token', '--member', 'a', '--admin', 'b'], 2, /either --member NAME/],
    ['token that never ends', () => ['token', '--member', 'a', '--ttl', 'ever'], 1, /ttl: expected a time/],
  ];
  for (const [what, args, exitCode, message] of wrong) {
    it(`exits with ${exitCode} and says why, without a stack, for ${what}`, async () => {
      const { code, stderr, stdout } = await running.run(...args());
      assert.equal(code, exitCode, stderr);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /^ {4}at /m);
      assert.equal(stdout, '');
    });
  }

  it('says what to do where no coordinator runs, and where no token can be had', async () => {
    const stateDir = join(dir, 'nothing');
    const none = await cutlayerHere(['coordinator', 'status', '--state-dir', stateDir]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /NOT_FOUND: .*no coordinator is running with this state directory; start it with cutlayer coordinator serve/);
    const elsewhere = ['coordinator', 'status', '--state-dir', stateDir, '--coordinator', running.ready.listen];
    const noToken = await cutlayerHere([...elsewhere, '--ca', running.ready.caFile!]);
    assert.match(noToken.stderr, /TOKEN_MISSING: no access token: pass --token-file/);
    const noCa = await cutlayerHere([...elsewhere, '--token-file', join(dir, 'admin.token')]);
    assert.match(noCa.stderr, /CERTIFICATE_REJECTED: coordinator .*pass the authority that signed it as CA/);
    assert.deepEqual(await readdir(stateDir).catch(() => 'nothing was made'), 'nothing was made');
  });

  thorough('ends on SIGTERM while members wait, at once, and takes its address back', async () => {
    const finished = await running.run('stop', '--final');
    assert.match(finished.stdout, /^ward notes: finished/);
    const created = await running.run('create', '--bundle', bundle, '--name', 'second', '--json', '--start', ...members);
    assert.equal(created.code, 0, created.stderr);
    const { federation: second, started } = JSON.parse(created.stdout);
    assert.equal(started, true);
    const north = await channelOf('north');
    const first = await north.call('NextTask', { federation: second });
    const stage = 'STAGE_ENLISTING';
    const waiting = north.call('NextTask', {
      ...{ federation: second, waitMs: 50_000, broadcastsKnown: first.broadcasts },
      ...(first.enlist ? { doneRound: first.enlist.round, doneStage: stage } : {}),
    });
    const settled = waiting.then(
      () => 'answered',
      ({ code }: { code: string }) => code,
    );
    assert.equal(await running.end(), 0);
    assert.match(await settled, /DRAINING|UNAVAILABLE|answered/);
    north.close();
    assert.ok(!(await readdir(running.stateDir)).includes('server.json'));
  });
});

describe('the configuration of a coordinator', () => {
  it('is checked and explained like that of a gateway', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-coordinator-config-'));
    const file = join(dir, 'coordinator.yaml');
    try {
      await writeFile(file, 'state-dir: state\nmax-message: 1GiB\ngrace: 3\n');
      const good = await cutlayerHere(['coordinator', 'serve', '--config', file, '--check']);
      assert.deepEqual([good.code, good.stdout], [0, 'configuration is valid\n'], good.stderr);
      assert.deepEqual(await readdir(dir), ['coordinator.yaml']);
      const bad = await cutlayerHere(['coordinator', 'serve', '--config', file, '--check', '--insecure', '--listen', '0.0.0.0:1']);
      assert.equal(bad.code, 2);
      assert.match(bad.stderr, /error INVALID_OPTION: --insecure: expected a loopback address/);
      const env = { CUTLAYER_COORDINATOR_GRACE: '4' };
      const { stdout } = await cutlayerHere(['coordinator', 'config', '--config', file, '--explain'], env);
      assert.match(stdout, /^max-message +1GiB +file .*coordinator\.yaml$/m);
      assert.match(stdout, /^grace +4 +environment CUTLAYER_COORDINATOR_GRACE$/m);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
