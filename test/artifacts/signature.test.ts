/** A manifest is signed by one key, over its bytes, and an artifact of another signer is not opened. */
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompactSign, importJWK } from 'jose';
import type { SigningJwk } from '../../src/artifacts/signature.js';
import { artifactSigner, loadBackbone, loadClientBundle } from '../../src/artifacts/store.js';
import { createSigner, readSigner } from '../../src/commands/signer/signer-file.js';
import { pack } from '../../src/compiler/pack/pack.js';
import { cutlayerHere } from '../support/command-here.js';
import { fixtureDir } from '../support/packed-model.js';

const advice = /get the files again from the vendor, and compare the key with the vendor's/;

describe('the signature of a manifest', function () {
  this.timeout(60_000);
  let root: string;
  let packed: string;
  let key: SigningJwk;
  let other: SigningJwk;
  let copies = 0;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cutlayer-signature-'));
    packed = join(root, 'packed');
    [key, other] = [await createSigner(join(root, 'signer.jwk')), await createSigner(join(root, 'other.jwk'))];
    await pack({
      checkpointDir: fixtureDir('llama-tiny'),
      bottom: 0,
      top: 0,
      outDir: packed,
      signer: await readSigner(join(root, 'signer.jwk')),
    });
  });
  after(() => rm(root, { recursive: true, force: true }));

  async function copy(): Promise<string> {
    const dir = join(root, `copy-${copies++}`);
    await cp(join(packed, 'client-bundle'), dir, { recursive: true });
    return dir;
  }
  const rejects = async (dir: string, message: RegExp, signer = key.x): Promise<void> => {
    const isRejected = (error: Error) => {
      assert.equal((error as { readonly code?: string }).code, 'SIGNATURE_REJECTED');
      assert.match(error.message, message);
      assert.match(error.message, advice);
      return true;
    };
    await assert.rejects(loadClientBundle(dir, { signer }), isRejected);
  };

  it('is by the given key on backbone and bundle, which open with that key and without one', async () => {
    const [backbone, bundle] = [join(packed, 'backbone'), join(packed, 'client-bundle')];
    for (const options of [{ signer: key.x }, {}]) {
      await loadBackbone(backbone, options);
      await loadClientBundle(bundle, options);
    }
    assert.equal(await artifactSigner(backbone), key.x);
    assert.equal(await artifactSigner(bundle), key.x);
  });

  it('is checked with Ed25519 alone: the manifest is the payload that the JWS leaves out', async () => {
    const dir = join(packed, 'client-bundle');
    const [header, payload, signature] = (await readFile(join(dir, 'manifest.jws'), 'utf8')).trim().split('.');
    assert.equal(payload, '');
    assert.deepEqual(JSON.parse(Buffer.from(header!, 'base64url').toString()), {
      alg: 'EdDSA',
      typ: 'cutlayer-manifest',
      jwk: { kty: 'OKP', crv: 'Ed25519', x: key.x },
    });
    const input = `${header}.${(await readFile(join(dir, 'manifest.json'))).toString('base64url')}`;
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key.x }, format: 'jwk' });
    assert.ok(verify(null, Buffer.from(input), publicKey, Buffer.from(signature!, 'base64url')));
  });

  it('is wanted where a signer is: one of no key is refused, and opens without a signer', async () => {
    const dir = await copy();
    await rm(join(dir, 'manifest.jws'));
    await rejects(dir, new RegExp(`expected a manifest signed by ${key.x}, got one without manifest\\.jws`));
    await loadClientBundle(dir);
    assert.equal(await artifactSigner(dir), undefined);
  });

  it('of another key is refused, and both keys are said', async () => {
    await rejects(await copy(), new RegExp(`expected the signature of ${other.x}, got one of ${key.x}`), other.x);
  });

  it('of other bytes is refused: of a changed manifest, or of a key that only the header names', async () => {
    const changed = await copy();
    const manifest = await readFile(join(changed, 'manifest.json'), 'utf8');
    await writeFile(join(changed, 'manifest.json'), manifest.replace('"embedScale": 1', '"embedScale": 2'));
    await rejects(changed, new RegExp(`expected the signature of ${key.x} on manifest\\.json beside it, got one of other bytes`));
    await assert.rejects(artifactSigner(changed), { code: 'SIGNATURE_REJECTED' });

    const forged = await copy();
    const header = { alg: 'EdDSA', typ: 'cutlayer-manifest', jwk: { kty: 'OKP', crv: 'Ed25519', x: key.x } };
    const jws = await new CompactSign(Buffer.from(manifest)).setProtectedHeader(header).sign(await importJWK({ ...other }, 'EdDSA'));
    await writeFile(join(forged, 'manifest.jws'), jws.replace(/\..*\./, '..'));
    await rejects(forged, /got one of other bytes/);
  });

  it('of another purpose, algorithm or form is refused', async () => {
    const dir = await copy();
    const path = join(dir, 'manifest.jws');
    const signature = (await readFile(path, 'utf8')).trim().split('.')[2]!;
    const withHeader = (header: object): string => `${Buffer.from(JSON.stringify(header)).toString('base64url')}..${signature}`;
    const header = { alg: 'EdDSA', typ: 'cutlayer-manifest', jwk: { kty: 'OKP', crv: 'Ed25519', x: key.x } };
    for (const text of [
      withHeader({ ...header, alg: 'none' }),
      withHeader({ ...header, typ: 'JWT' }),
      withHeader({ ...header, b64: false, crit: ['b64'] }),
      `${Buffer.from(JSON.stringify(header)).toString('base64url')}.e30.${signature}`,
      '',
      'x',
    ]) {
      await writeFile(path, text);
      await rejects(dir, /expected a JWS of type cutlayer-manifest with EdDSA and without its payload/);
    }
    await writeFile(path, 'a'.repeat(5000));
    await rejects(dir, /expected a regular file of at most 4096 bytes/);
    await rm(path);
    await symlink(join(packed, 'client-bundle', 'manifest.jws'), path);
    await rejects(dir, /expected a regular file/);
  });

  it('covers every other file by its digest', async () => {
    const dir = await copy();
    const path = join(dir, 'tokenizer.json');
    await writeFile(path, (await readFile(path, 'utf8')).replace('"a"', '"A"'));
    await assert.rejects(loadClientBundle(dir, { signer: key.x }), { code: 'DIGEST_MISMATCH' });
  });

  it('is by a key that its owner alone may read, and that is never overwritten', async () => {
    const path = join(root, 'signer.jwk');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    await assert.rejects(createSigner(path), { code: 'ALREADY_EXISTS' });
    await assert.rejects(readSigner(join(root, 'none.jwk')), { code: 'NOT_FOUND', message: /cutlayer signer new --out/ });
    await writeFile(join(root, 'bad.jwk'), '{"secret":1}', { mode: 0o600 });
    await assert.rejects(
      readSigner(join(root, 'bad.jwk')),
      (error: Error) => !error.message.includes('secret') && error.cause === undefined,
    );
  });

  it('is made, required and shown by the commands', async () => {
    const file = join(root, 'made.jwk');
    const made = await cutlayerHere(['signer', 'new', '--out', file]);
    const publicKey = made.stdout.trim();
    assert.match(publicKey, /^[A-Za-z0-9_-]{43}$/);
    assert.equal((await cutlayerHere(['signer', 'show', file])).stdout.trim(), publicKey);
    const out = join(root, 'by-command');
    const run = await cutlayerHere(['pack', fixtureDir('llama-tiny'), '--out', out, '--sign', file]);
    assert.match(run.stdout, new RegExp(`^signed by +${publicKey}$`, 'm'), run.stderr);

    const check = (signer: string) =>
      cutlayerHere([
        'gateway',
        'start',
        '--check',
        '--backbone',
        join(out, 'backbone'),
        '--state-dir',
        join(root, 'state'),
        '--signer',
        signer,
      ]);
    assert.equal((await check(publicKey)).code, 0);
    const refused = await check(key.x);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, new RegExp(`^error SIGNATURE_REJECTED: .*expected the signature of ${key.x}, got one of ${publicKey}`));
    const [bundle, data] = [join(out, 'client-bundle'), join(root, 'data.jsonl')];
    await writeFile(data, '{"text":"a"}\n');
    const inspect = ['client', 'inspect', join(fixtureDir('llama-tiny'), 'peft-prompt-tuning'), '--bundle', bundle];
    const shown = await cutlayerHere([...inspect, '--signer', publicKey]);
    assert.match(shown.stdout, new RegExp(`^ *bundle +signed by ${publicKey}$`, 'm'));
    for (const args of [
      inspect,
      ['client', 'generate', '--bundle', bundle, '--gateway', '127.0.0.1:1', '--insecure', '--prompt', 'a'],
      [
        'coordinator',
        'simulate',
        '--backbone',
        join(out, 'backbone'),
        '--bundle',
        bundle,
        '--data',
        data,
        '--out',
        join(root, 's'),
        '--rounds',
        '1',
      ],
    ]) {
      const { stderr } = await cutlayerHere([...args, '--signer', other.x]);
      assert.match(stderr, new RegExp(`error SIGNATURE_REJECTED: .*expected the signature of ${other.x}`), args.join(' '));
    }
    const misspelt = await check('abc');
    assert.match(misspelt.stderr, /--signer.*expected the vendor's public key, 43 characters of base64url/);
  });
});
