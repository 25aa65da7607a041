/** A member's own files: identity, state, pin's neighbours, log and ledger. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEventLog } from '../../../clients/typescript/federation/event-log.js';
import { createIdentity, hex, readIdentity } from '../../../clients/typescript/federation/identity-file.js';
import { MemberStore } from '../../../clients/typescript/federation/member-store.js';
import { OwnLedger } from '../../../clients/typescript/federation/own-ledger.js';
import { writeVersion } from '../../../clients/typescript/federation/version-files.js';
import { CutlayerError } from '../../../src/errors.js';
import { gaussianEvent } from '../../../src/privacy/event.js';
import { federationSettingsSchema } from '../../../src/protocol/federation/settings.js';

const code = (wanted: string, message: RegExp) => (error: unknown) =>
  error instanceof CutlayerError && error.code === wanted && message.test(error.message);

describe('files of a member of a federation', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-member-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('keep an identity for its owner alone, and never overwrite one', async () => {
    const file = join(dir, 'identity.key');
    const made = await createIdentity(file);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(await readIdentity(file), made);
    assert.deepEqual(await readdir(dir), ['identity.key'], 'nothing else is left');
    await assert.rejects(createIdentity(file), code('ALREADY_EXISTS', /not overwritten/));
    assert.deepEqual(await readIdentity(file), made);
  });

  it('refuse an identity that others can read, that is missing, or whose halves do not belong together', async () => {
    const file = join(dir, 'identity.key');
    await assert.rejects(readIdentity(file), code('NOT_FOUND', /cutlayer client identity --out/));
    const { publicKey } = await createIdentity(file);
    await chmod(file, 0o640);
    await assert.rejects(readIdentity(file), code('INVALID_CONFIG', /chmod 600/));
    await chmod(file, 0o600);
    await writeFile(file, (await readFile(file, 'utf8')).replace(hex(publicKey), '00'.repeat(32)));
    await assert.rejects(readIdentity(file), code('INVALID_CONFIG', /its public key is not that of its private key/));
    await writeFile(file, 'gibberish');
    await assert.rejects(readIdentity(file), code('INVALID_CONFIG', /not an identity/));
  });

  it('hold the promoted version and the newest five', async () => {
    const adapter = (text: string) => ({ save: (to: string) => writeFile(join(to, 'adapter'), text) });
    for (let version = 0; version < 8; version++) await writeVersion(dir, version, adapter(`${version}`));
    assert.deepEqual((await readdir(join(dir, 'versions'))).sort(), ['v000003', 'v000004', 'v000005', 'v000006', 'v000007']);
    await writeVersion(dir, 2, adapter('2'));
    assert.equal(await readFile(join(dir, 'adapter', 'adapter'), 'utf8'), '2', 'a rollback is what is used');
    assert.ok((await readdir(join(dir, 'versions'))).includes('v000002'));
    assert.equal((await readdir(join(dir, 'versions'))).length, 5);
  });

  it('log events without growing for ever', async () => {
    const path = join(dir, 'log.jsonl');
    const log = await openEventLog(path, { maxBytes: 200, now: () => 0 });
    for (let round = 1; round <= 20; round++) log.write({ type: 'answered', round, purpose: 'train' });
    await log.close();
    const lines = (await readFile(path, 'utf8')).trim().split('\n');
    assert.match(lines.at(-1)!, /^\{"at":"1970-01-01T00:00:00.000Z","type":"answered","round":20/);
    assert.ok((await stat(path)).size + (await stat(`${path}.1`)).size < 800);
    assert.deepEqual((await readdir(dir)).sort(), ['log.jsonl', 'log.jsonl.1']);
  });

  it('account for each round once, count a round that came to nothing, and with sampling the rounds of others', async () => {
    const privacy = { noiseMultiplier: 5, clip: { kind: 'fixed', norm: 1 }, delta: 1e-5, maxEpsilon: 7.0878 };
    const manifest = (more: object) => ({
      settings: federationSettingsSchema.parse({ name: 'x', privacy, evaluation: null, ...more }),
      parameters: [{ name: 'prompt', shape: [2] }],
      members: [],
    });
    const none = new Map();
    const state = MemberStore.memory();
    const event = gaussianEvent(5);
    let ledger = OwnLedger.open(state, manifest({}));
    // facts: 50 rounds at multiplier 5 and delta 1e-5 cost 7.087861629.
    for (let round = 1; round <= 49; round++) {
      ledger.require(round, event, none);
      ledger.spend(round, event);
      ledger.spend(round, event);
    }
    ledger = OwnLedger.open(state, manifest({}));
    assert.equal(ledger.rounds, 49);
    ledger.require(49, event, none); // said before: it may be said again
    assert.throws(() => ledger.require(50, event, none), code('BUDGET_EXHAUSTED', /7\.0878.*nothing more is sent/s));
    const sampled = OwnLedger.open(
      MemberStore.memory(),
      manifest({ secureAggregation: null, cohort: { min: 1, sampling: { kind: 'poisson', rate: 1 } } }),
    );
    const rounds = Array.from({ length: 49 }, (_, at) => [at + 1, 'train'] as const);
    assert.throws(() => sampled.require(50, event, new Map(rounds)), code('BUDGET_EXHAUSTED', /0 rounds/));
    sampled.require(50, event, new Map(rounds.slice(1)));
    sampled.spend(50, event);
    const { epsilon } = sampled.statement(new Map(rounds))!;
    assert.ok(Math.abs(epsilon! - 7.087861629) < 1e-8, `said ${epsilon}: rounds in which this member was not drawn count`);
    state.run('INSERT INTO ledger VALUES (50, ?)', 'not json');
    assert.throws(() => OwnLedger.open(state, manifest({})), code('STORE_CORRUPT', /ledger's round 50: not what was written here/));
  });
});
