/** Gateways that share signing keys (`--keys-dir`) and have state directories of their own. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openIdentity } from '../../src/server/auth/identity.js';
import { issueToken } from '../../src/server/auth/issuer.js';
import { KeyRing } from '../../src/server/auth/key-ring.js';
import { cutlayerHere } from '../support/command-here.js';
import { bearer, splitCalls, startTestGateway, type TestGateway } from '../support/test-gateway.js';

describe('the directory of signing keys', () => {
  let keysDir: string;
  let gateways: readonly TestGateway[];
  before(async () => {
    keysDir = await mkdtemp(join(tmpdir(), 'cutlayer-keys-'));
    gateways = [await startTestGateway({ start: { keysDir } }), await startTestGateway({ start: { keysDir } })];
  });
  after(async () => {
    for (const gateway of gateways) await gateway.close();
    await rm(keysDir, { recursive: true, force: true });
  });

  const token = async (): Promise<string> => {
    const request = { tenant: 'acme', scopes: ['infer'], ttlSeconds: 60 } as const;
    return issueToken(await KeyRing.open(keysDir), await openIdentity(keysDir), request, Date.now());
  };
  const accepted = async (given: string): Promise<void> => {
    for (const gateway of gateways) await splitCalls(gateway.connect()).getModel(bearer(given));
  };

  it('makes a token good at each gateway that shares it, also with a key that a command has made since', async () => {
    await accepted(await token());
    const { code, stderr } = await cutlayerHere(['gateway', 'keys', 'rotate', '--keys-dir', keysDir]);
    assert.equal(code, 0, stderr);
    await accepted(await token());
  });

  it('has a key that signs later, and is published now', async () => {
    const rotate = (...more: string[]) => cutlayerHere(['gateway', 'keys', 'rotate', '--keys-dir', keysDir, ...more]);
    const { kid } = await (await KeyRing.open(keysDir)).signingKey();
    const { code, stdout, stderr } = await rotate('--after', '10m');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^\S+ signs from \d{4}-\d\d-\d\dT\S+Z, and verifies now; earlier keys verify until their tokens end$/m);
    const ring = await KeyRing.open(keysDir);
    assert.ok(ring.publicJwks().keys.some((key) => key.kid === stdout.split(' ')[0]));
    assert.equal((await ring.signingKey()).kid, kid);
    await accepted(await token());
    for (const [args, message] of [
      [['10m', '--drop-old'], /--after: with --drop-old no earlier key is left/],
      [['8d'], /--after: expected at most 7d, got 8d/],
      [['soon'], /--after: expected a time such as 90s/],
    ] as const)
      assert.match((await rotate('--after', ...args)).stderr, message);
  });

  it('is found by the commands of a running gateway, and by those that are told it', async () => {
    const { stateDir } = gateways[0]!;
    const { code, stderr } = await cutlayerHere(['gateway', 'tenant', 'create', 'beta', '--state-dir', stateDir]);
    assert.equal(code, 0, stderr);
    const printed = await cutlayerHere(['gateway', 'token', '--tenant', 'beta', '--state-dir', stateDir, '--keys-dir', keysDir]);
    await accepted(printed.stdout.trim());
    const client = ['gateway', 'client', 'add', 'beta', '--out', join(keysDir, 'beta.client'), '--state-dir', stateDir];
    assert.equal((await cutlayerHere([...client, '--keys-dir', keysDir])).code, 0);
    const { issuer } = JSON.parse(await readFile(join(keysDir, 'beta.client'), 'utf8')) as { issuer: string };
    assert.equal(issuer, (await openIdentity(keysDir)).issuer);
  });

  describe('in a backup', () => {
    let dir: string;
    let file: string;
    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'cutlayer-keys-backup-'));
      file = join(dir, 'a.backup');
      const stale = join(gateways[0]!.stateDir, 'signing-keys.json');
      await writeFile(stale, 'of another time', { mode: 0o600 });
      const { code, stderr } = await cutlayerHere(['gateway', 'backup', file, '--state-dir', gateways[0]!.stateDir]);
      assert.equal(code, 0, stderr);
      await rm(stale);
    });
    after(() => rm(dir, { recursive: true, force: true }));

    const restore = (stateDir: string, ...more: string[]) => cutlayerHere(['gateway', 'restore', file, '--state-dir', stateDir, ...more]);
    const keyFiles = ['signing-keys.json', 'identity.json'];
    const sameKeys = async (at: string): Promise<void> => {
      for (const name of keyFiles) {
        assert.deepEqual(await readFile(join(at, name)), await readFile(join(keysDir, name)), name);
        assert.equal((await stat(join(at, name))).mode & 0o777, 0o600, name);
      }
    };

    it('is found by itself while a gateway runs, and comes back where it is wanted', async () => {
      const [stateDir, keys] = [join(dir, 'state'), join(dir, 'keys')];
      const { code, stderr } = await restore(stateDir, '--keys-dir', keys);
      assert.equal(code, 0, stderr);
      await sameKeys(keys);
      for (const name of keyFiles) assert.ok(!existsSync(join(stateDir, name)), name);
      const without = join(dir, 'whole');
      assert.equal((await restore(without)).code, 0);
      await sameKeys(without);
    });

    it('is not replaced without force, and a directory that cannot be made is refused before anything', async () => {
      const refused = await restore(join(dir, 'other'), '--keys-dir', keysDir);
      assert.match(refused.stderr, /error ALREADY_EXISTS: .*signing-keys\.json: is there already; --force replaces it/);
      const none = await restore(join(dir, 'other'), '--keys-dir', join(file, 'keys'));
      assert.match(none.stderr, /error IO_ERROR: state directory .*keys: cannot be made/);
      assert.ok(!existsSync(join(dir, 'other', 'gateway.db')));
    });

    it('is given for a gateway that does not run, and has keys', async () => {
      const stateDir = join(dir, 'stopped');
      assert.equal((await restore(stateDir)).code, 0);
      const backup = (name: string, keys: string) =>
        cutlayerHere(['gateway', 'backup', join(dir, name), '--state-dir', stateDir, '--keys-dir', keys]);
      const missing = await backup('b.backup', join(dir, 'nowhere'));
      assert.match(missing.stderr, /error NOT_FOUND: .*nowhere: holds no signing keys; is --keys-dir right\?/);
      assert.equal((await backup('b.backup', keysDir)).code, 0);
      assert.equal((await backup('c.backup', stateDir)).code, 0);
    });
  });
});
