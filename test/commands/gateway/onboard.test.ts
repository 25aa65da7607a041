/** `cutlayer gateway onboard` and `cutlayer client login --from`: one file from vendor to customer. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import type { Onboarding } from '../../../clients/typescript/cli/login/onboarding-file.js';
import { cutlayerHere } from '../../support/command-here.js';
import { type PackedFixture, packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

describe('the file of cutlayer gateway onboard', () => {
  let packed: PackedFixture;
  let gateway: TestGateway;
  let dir: string;
  let out: string;
  before(async () => {
    packed = await packedFixture('llama-tiny');
    gateway = await startTestGateway({ backboneDir: packed.backboneDir });
  });
  after(() => gateway.close());
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-onboard-'));
    out = join(dir, 'acme.cutlayer');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const onboard = (...args: string[]) =>
    cutlayerHere([
      'gateway',
      'onboard',
      'acme',
      '--address',
      gateway.gateway.listen,
      '--out',
      out,
      '--state-dir',
      gateway.stateDir,
      ...args,
    ]);
  const client = (...args: string[]) => cutlayerHere(['client', ...args], { CUTLAYER_HOME: join(dir, 'home'), CUTLAYER_TOKEN: '' });
  const content = async () => JSON.parse(await readFile(out, 'utf8')) as Onboarding;

  it('is all that a customer needs beside the bundle', async () => {
    const { code, stdout, stderr } = await onboard('--bundle', packed.bundleDir, '--bundle-url', 'https://vendor.example/b.tar.gz');
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /^wrote .*acme\.cutlayer for acme: client client_\w+ with a key, which gets its tokens at http:.*\/oauth2\/token$/m,
    );
    assert.equal((await stat(out)).mode & 0o777, 0o600);
    const { token, client: credentials, bundle, ca } = await content();
    assert.ok(credentials !== undefined);
    const secret = credentials.key.d;
    assert.ok(!`${stdout}${stderr}`.includes(secret), 'a key in the output');
    assert.deepEqual([token, Object.keys(bundle as object), ca], [undefined, ['url', 'manifestSha256'], gateway.ca.toString()]);
    const login = await client('login', '--from', out, '--bundle', packed.bundleDir);
    assert.equal(login.code, 0, login.stdout + login.stderr);
    assert.match(login.stdout, /^ok {2}token +tenant acme; scopes model:read train infer; valid until .*, (9|10) min left$/m);
    const checked = await client('check');
    assert.equal(checked.code, 0);
    for (const text of [login.stdout, login.stderr, checked.stdout]) assert.ok(!text.includes(secret), 'a key in the output');
    assert.equal((await stat(join(dir, 'home/profiles/default/token'))).mode & 0o777, 0o600);
    const listed = await cutlayerHere(['gateway', 'client', 'list', '--tenant', 'acme', '--state-dir', gateway.stateDir]);
    assert.match(listed.stdout, new RegExp(`^${credentials.clientId} `, 'm'));
  });

  it('names a bundle by its path on a shared disk, and holds a token that ends where the vendor wants one', async () => {
    const made = await onboard('--bundle', packed.bundleDir, '--scope', 'split:infer', '--static-token', '--ttl', '2h');
    assert.match(made.stdout, /^wrote .*acme\.cutlayer for acme: its token is good until \d{4}-\d\d-\d\d$/m);
    const { token = '', client: credentials } = await content();
    assert.ok(!`${made.stdout}${made.stderr}`.includes(token), 'a token in the output');
    assert.equal(credentials, undefined);
    const { exp, iat, scope } = decodeJwt(token);
    assert.deepEqual([exp! - iat!, scope], [7200, 'infer']);
    const { code, stdout } = await client('login', '--from', out, '--profile', 'acme');
    assert.equal(code, 0, stdout);
    assert.match(stdout, /so that it may not train/);
  });

  it('replaces no file, and refuses wrong addresses, scopes and authorities', async () => {
    assert.equal((await onboard()).code, 0);
    assert.match((await onboard()).stderr, /ALREADY_EXISTS: .*acme\.cutlayer: there is a file already/);
    await rm(out);
    assert.match((await onboard('--ttl', '2h')).stderr, /--ttl has no effect here: the file has no end without --static-token/);
    const elsewhere = await onboard('--address', 'vendor.example:443');
    assert.match(elsewhere.stderr, /--token-url: expected .* as acme reaches it, .*; http:\S+ is for this machine only/);
    assert.match((await onboard('--address', 'https://vendor.example')).stderr, /gateway address: expected host:port, without https:/);
    assert.match((await onboard('--scope', 'federation:admin')).stderr, /INVALID_ARGUMENT: scope: /);
    const key = join(gateway.stateDir, 'ca-key.pem');
    assert.match((await onboard('--ca', key)).stderr, /expected a PEM file with certificates and no private key/);
    assert.match((await onboard('--ca', key, '--public-certificate')).stderr, /expected either --ca or --public-certificate/);
    await assert.rejects(stat(out));
    assert.equal((await onboard('--public-certificate')).code, 0);
    assert.equal((await content()).ca, undefined);
  });

  it('says where the bundle is when it is not here, and refuses another', async () => {
    await onboard('--bundle', packed.bundleDir, '--bundle-url', 'https://vendor.example/b.tar.gz');
    const missing = await client('login', '--from', out);
    assert.match(
      missing.stderr,
      /NOT_FOUND: .*; get the client bundle from https:\/\/vendor\.example\/b\.tar\.gz, unpack it, and pass --bundle DIR/,
    );
    const { bundleDir } = await packedFixture('llama-tiny', { bottom: 1, top: 1 });
    const other = await client('login', '--from', out, '--bundle', bundleDir);
    assert.match(other.stderr, /DIGEST_MISMATCH: .*the vendor's file names the bundle with manifest [0-9a-f]{12}, this one has/);
    assert.match((await client('profiles')).stdout, /^no profiles/m);
  });

  it('is refused when it is another file, of another version, or with flags that it makes idle', async () => {
    await writeFile(out, '{"token": "eyJhbGciOiJ", ');
    const broken = await client('login', '--from', out);
    assert.match(broken.stderr, /INVALID_CONFIG: .*this is not JSON: was it changed on its way\?/);
    assert.ok(!broken.stderr.includes('eyJ'), broken.stderr);
    await writeFile(out, JSON.stringify({ kind: 'cutlayer-onboarding', version: 2 }));
    assert.match((await client('login', '--from', out)).stderr, /its version is 2, this program reads 1/);
    await writeFile(out, JSON.stringify({ kind: 'cutlayer-onboarding', version: 1, tenant: 'acme', bundle: {} }));
    assert.match((await client('login', '--from', out)).stderr, /wrong or missing: gateway/);
    const neither = { kind: 'cutlayer-onboarding', version: 1, tenant: 'acme', gateway: 'localhost:1', bundle: {} };
    await writeFile(out, JSON.stringify(neither));
    assert.match((await client('login', '--from', out)).stderr, /expected either credentials or a token in the file/);
    assert.match(
      (await client('login', '--from', join(dir, 'no'))).stderr,
      /no such file; the vendor makes it with cutlayer gateway onboard/,
    );
    const idle = await client('login', '--from', out, '--gateway', 'localhost:1');
    assert.match(idle.stderr, /--gateway has no effect here: the file of --from says it/);
    assert.match((await client('login')).stderr, /expected --bundle DIR and --gateway HOST:PORT, or --from FILE/);
  });
});
