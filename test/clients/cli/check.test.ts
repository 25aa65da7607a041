/** `cutlayer client check` against a gateway of this process, right and wrong in each part. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkConnection } from '../../../clients/typescript/cli/check/check-connection.js';
import { checkOptions } from '../../../clients/typescript/cli/check/check-options.js';
import { connectionOf } from '../../../clients/typescript/cli/check/checked-connection.js';
import type { CheckName, Finding } from '../../../clients/typescript/cli/check/finding.js';
import { parseOptions } from '../../../src/options/parse-options.js';
import { cutlayerHere } from '../../support/command-here.js';
import { type PackedFixture, packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const MINUTE_MS = 60_000;

describe('cutlayer client check', () => {
  let packed: PackedFixture;
  let gateway: TestGateway;
  let dir: string;
  let tokenFile: string;
  before(async () => {
    packed = await packedFixture('llama-tiny');
    gateway = await startTestGateway({ backboneDir: packed.backboneDir });
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-check-'));
    tokenFile = await tokenIn('token', await gateway.token());
  });
  after(async () => {
    await gateway.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function tokenIn(name: string, token: string): Promise<string> {
    await writeFile(join(dir, name), `${token}\n`);
    return join(dir, name);
  }

  const right = () => ({ bundle: packed.bundleDir, gateway: gateway.gateway.listen, ca: gateway.gateway.caFile, tokenFile });
  const flagsOf = (options: Readonly<Record<string, unknown>>): string[] =>
    Object.entries(options).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name.replace('tokenFile', 'token-file')}`, String(value)],
    );

  async function findings(options: Readonly<Record<string, unknown>>, now?: () => number): Promise<Readonly<Record<CheckName, Finding>>> {
    const found = await checkConnection(connectionOf(parseOptions(checkOptions, options)), new AbortController().signal, now);
    // Each check is in the list once.
    return Object.fromEntries(found.map((finding) => [finding.name, finding])) as Record<CheckName, Finding>;
  }

  const failing = (found: Readonly<Record<string, Finding>>): string[] =>
    Object.values(found).flatMap(({ name, state }) => (state === 'fail' ? [name] : []));

  it('says of each part that it is right, where each value comes from, and no token', async () => {
    const { code, stdout, stderr } = await cutlayerHere(['client', 'check', ...flagsOf(right())]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^gateway {2,}127\.0\.0\.1:\d+ +flag --gateway$/m);
    assert.match(stdout, /^ok {2}bundle {7}\/.*: .*, cut at 0 and 0, every digest right$/m);
    assert.match(stdout, /^ok {2}address {6}127\.0\.0\.1:\d+ answers$/m);
    assert.match(stdout, /^ok {2}certificate {2}trusted; names .*127\.0\.0\.1.*; valid until \d{4}-\d\d-\d\d, \d+ days from now$/m);
    assert.match(stdout, /^ok {2}clock {8}as the gateway's, to a second$/m);
    assert.match(
      stdout,
      /^ok {2}protection {3}texts of at least 2 tokens, virtual ones among them; 8 directions .*; 16 near inputs in a day; rows at least [\d.]+ long; rows at most [\d.]+ long$/m,
    );
    assert.match(stdout, /^ok {2}token {8}tenant acme; scopes train infer; valid until .* UTC, (59|60) min left$/m);
    assert.match(stdout, /^ok {2}access {7}the gateway takes the token, and serves .*llama/m);
    assert.match(stdout, /^ok {2}backbone {5}the bundle fits backbone [0-9a-f]{12}$/m);
    assert.match(
      stdout,
      /^ok {2}limits {7}a step: \d+ sequences, \d+ rows, \d+ virtual tokens, \d+ positions; a message: .* MB; a call: \d+ s$/m,
    );
    assert.match(stdout, /^ok {2}wire {9}f32, of f32, /m);
    assert.ok(!stdout.includes((await gateway.token()).slice(0, 20)), 'the head of a token');
  });

  it('gives the same as one JSON object', async () => {
    const { code, stdout } = await cutlayerHere(['client', 'check', ...flagsOf(right()), '--json']);
    const { ok, checks } = JSON.parse(stdout) as { readonly ok: boolean; readonly checks: readonly Finding[] };
    assert.deepEqual([code, ok, checks.length], [0, true, 10]);
    assert.ok(checks.every(({ state }) => state === 'ok'));
  });

  it('names --ca where the certificate is not trusted, exits with 1, and does not send the token', async () => {
    const { code, stdout } = await cutlayerHere(['client', 'check', ...flagsOf({ ...right(), ca: undefined })]);
    assert.equal(code, 1);
    assert.match(stdout, /^FAIL {2}certificate {2}not trusted \(.*\); names .*; pass the vendor's CA file with --ca$/m);
    assert.match(stdout, /^- {5}access {7}not asked: the server is not reached, or not trusted$/m);
  });

  it('tells a refused port, an address with a scheme and a missing CA file apart', async () => {
    const refused = await findings({ ...right(), gateway: '127.0.0.1:1' });
    assert.match(refused.address.says, /^gateway 127\.0\.0\.1:1: nothing listens there, or it refuses connections; is the port right/);
    assert.deepEqual([failing(refused), refused.access.state], [['address'], 'skipped']);
    const scheme = await findings({ ...right(), ca: undefined, gateway: 'http://vendor.example:443' });
    assert.match(scheme.address.says, /expected host:port, without http:\/\//);
    const noFile = await findings({ ...right(), ca: join(dir, 'none.pem') });
    assert.match(noFile.certificate.says, /none\.pem: no CA file/);
  });

  it('tells a token that has expired, that is none, and that is for a coordinator', async () => {
    const old = await tokenIn('old', await gateway.token({}, Date.now() - 120 * MINUTE_MS));
    const expired = await findings({ ...right(), tokenFile: old });
    assert.match(expired.token.says, /^tenant acme; scopes train infer; expired at .* UTC; ask the vendor for a new one$/);
    assert.deepEqual([expired.token.code, expired.access.code], ['TOKEN_EXPIRED', 'TOKEN_EXPIRED']);
    const none = await findings({ ...right(), tokenFile: await tokenIn('none', 'Bearer abc') });
    assert.match(none.token.says, /it begins with Bearer; give the token alone/);
    const other = await findings({ ...right(), tokenFile: await tokenIn('other', await gateway.token({ scopes: ['federation:admin'] })) });
    assert.match(other.token.says, /scopes admin; a gateway wants train or infer/);
    const missing = await findings({ ...right(), tokenFile: undefined });
    assert.deepEqual([missing.token.code, missing.access.state], ['TOKEN_MISSING', 'skipped']);
  });

  it('tells that a token may not train', async () => {
    const infer = await tokenIn('infer', await gateway.token({ scopes: ['split:infer'] }));
    assert.match((await findings({ ...right(), tokenFile: infer })).token.says, /scopes infer, so that it may not train;/);
  });

  it('says whose clock is ahead, and fails where tokens would be refused for it', async () => {
    const ahead = await findings(right(), () => Date.now() + 10 * MINUTE_MS);
    assert.match(
      ahead.clock.says,
      /^this machine is (599|600|601) s ahead of the gateway, which takes tokens within 60 s only; set the clock/,
    );
    assert.deepEqual(failing(ahead), ['clock']);
    const behind = await findings(right(), () => Date.now() - 30_000);
    assert.match(behind.clock.says, /^this machine is (29|30|31) s behind the gateway$/);
    assert.deepEqual(failing(behind), []);
  });

  it('tells a bundle of another backbone, and one that is not there', async () => {
    const { bundleDir } = await packedFixture('llama-tiny', { bottom: 1, top: 1 });
    const other = await findings({ ...right(), bundle: bundleDir });
    assert.deepEqual([failing(other), other.backbone.code], [['backbone'], 'BACKBONE_MISMATCH']);
    const none = await findings({ ...right(), bundle: join(dir, 'nothing') });
    assert.deepEqual([failing(none), none.backbone.state, none.access.state], [['bundle'], 'skipped', 'ok']);
  });

  it('looks at a gateway without TLS, names its shutdown date, and tells when it has TLS', async () => {
    const plain = await startTestGateway({ backboneDir: packed.backboneDir, start: { insecure: true, shutdownDate: '2999-12-31' } });
    try {
      const token = await tokenIn('plain', await plain.token());
      const found = await findings({ bundle: packed.bundleDir, gateway: plain.gateway.listen, insecure: true, tokenFile: token });
      assert.deepEqual([failing(found), found.certificate.says], [[], 'none: plain text, as --insecure says']);
      assert.match(found.backbone.says, /^the bundle fits .*; the vendor stops serving this backbone on 2999-12-31, \d+ days from now$/);
      const tls = await findings({ ...right(), gateway: plain.gateway.listen });
      assert.match(tls.address.says, /does not speak TLS; use the address of --listen, and pass --insecure only/);
    } finally {
      await plain.close();
    }
  });
});
