import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Identity, openIdentity } from '../../../src/server/auth/identity.js';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { KeyRing } from '../../../src/server/auth/key-ring.js';
import { requireSender } from '../../../src/server/auth/sender.js';
import { createVerifier, keyRingKeys } from '../../../src/server/auth/verifier.js';
import { makeAuthority, makeClient, makeServer, type Pair } from '../../../src/server/tls/certificates.js';
import { thumbprintOfPem } from '../../../src/server/tls/client-certificate.js';
import { openDevelopmentTls } from '../../../src/server/tls/development-ca.js';
import { as, ECHO, type Rig, startRig } from '../../support/rpc-rig.js';

describe('the sender of a token', () => {
  const mine = 'A'.repeat(43);
  const other = 'B'.repeat(43);
  const refused: readonly [string, unknown, Parameters<typeof requireSender>[1]][] = [
    ['bound to a certificate, without one', { 'x5t#S256': mine }, {}],
    ['bound to a certificate, with another', { 'x5t#S256': mine }, { certificate: other }],
    ['bound to a certificate, with a key of that thumbprint', { 'x5t#S256': mine }, { key: mine }],
    ['bound to a key, without a proof', { jkt: mine }, {}],
    ['bound to a key, with a proof of another', { jkt: mine }, { key: other }],
    ['bound to both, with one of them', { jkt: mine, 'x5t#S256': mine }, { key: mine }],
    ['bound to both, with the other', { jkt: mine, 'x5t#S256': mine }, { certificate: mine }],
    ['bound to a certificate, with it and a proof that it does not name', { 'x5t#S256': mine }, { certificate: mine, key: mine }],
    ['bound to nothing, with a proof', undefined, { key: mine }],
    ['bound to nothing, where it must be', undefined, { certificate: mine, mustBind: true }],
    ['bound by an unknown member', { 'x5t#S256': mine, kid: 'x' }, { certificate: mine }],
    ['bound by an inherited name', { toString: mine }, { certificate: mine }],
    ['with an empty claim', {}, { certificate: mine }],
    ['with null as claim', null, { certificate: mine }],
    ['with a list as claim', [mine], { certificate: mine }],
    ['with a text as claim', mine, { certificate: mine }],
    ['with a list as thumbprint', { 'x5t#S256': [mine] }, { certificate: mine }],
    ['with an empty thumbprint', { 'x5t#S256': '' }, { certificate: '' }],
  ];
  for (const [what, cnf, sender] of refused) {
    it(`refuses one ${what}`, () => assert.throws(() => requireSender(cnf, sender)));
  }

  it('accepts what it is bound to', () => {
    requireSender(undefined, {});
    requireSender(undefined, { certificate: mine });
    requireSender({ 'x5t#S256': mine }, { certificate: mine, mustBind: true });
    requireSender({ jkt: mine }, { key: mine, certificate: other });
    requireSender({ jkt: mine, 'x5t#S256': other }, { key: mine, certificate: other, mustBind: true });
  });
});

describe('tokens bound to client certificates', () => {
  let dir: string;
  let ring: KeyRing;
  let identity: Identity;
  let rig: Rig;
  let caFile: string;
  let own: Pair;
  const strangers: Record<string, Pair> = {};

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-sender-'));
    const now = Date.now();
    const tls = await openDevelopmentTls(dir, ['127.0.0.1'], now);
    caFile = tls.caFile;
    ring = await KeyRing.open(dir);
    identity = await openIdentity(dir);
    const authority = { cert: await readFile(caFile, 'utf8'), key: await readFile(join(dir, 'ca-key.pem'), 'utf8') };
    const foreign = await makeAuthority(now);
    own = await makeClient(authority, 'acme', 30, now);
    strangers['of the authority, another'] = await makeClient(authority, 'other', 30, now);
    strangers['self-signed'] = foreign;
    strangers['of a foreign authority'] = await makeClient(foreign, 'acme', 30, now);
    strangers['of the authority, expired'] = await makeClient(authority, 'acme', 1, now - 3 * 24 * 3600 * 1000);
    strangers["of the authority, a server's"] = await makeServer(authority, ['acme'], now);
    const verify = createVerifier(identity, keyRingKeys(ring), Date.now);
    const credentials = { cert: Buffer.from(tls.cert), key: Buffer.from(tls.key), clientCa: Buffer.from(authority.cert) };
    rig = await startRig({ verify, credentials });
  });
  after(async () => {
    await rig.close();
    await rm(dir, { recursive: true, force: true });
  });

  const tokenFor = (pair?: Pair) =>
    issueToken(
      ring,
      identity,
      { tenant: 'acme', scopes: ['train'], ttlSeconds: 60, cnf: pair && { 'x5t#S256': thumbprintOfPem(pair.cert) } },
      Date.now(),
    );
  const outcome = async (token: string, certificate: Pair | undefined) =>
    (await rig.connect({ caFile, certificate }).send(ECHO, Buffer.from('x'), as(token)).ended).code ?? 'OK';

  it('are taken over the connection of their certificate, and over no other', async () => {
    const token = await tokenFor(own);
    assert.equal(await outcome(token, own), 'OK');
    assert.equal(await outcome(token, undefined), 'TOKEN_INVALID');
    for (const [what, pair] of Object.entries(strangers)) assert.equal(await outcome(token, pair), 'TOKEN_INVALID', what);
  });

  it('are the only ones taken where client certificates are asked for', async () => {
    assert.equal(await outcome(await tokenFor(), own), 'TOKEN_INVALID');
    assert.equal(await outcome(await tokenFor(), undefined), 'TOKEN_INVALID');
  });

  it('cannot be bound to a certificate that the authority has not signed for clients', async () => {
    for (const [what, pair] of Object.entries(strangers)) {
      const expected = what === 'of the authority, another' ? 'OK' : 'TOKEN_INVALID';
      assert.equal(await outcome(await tokenFor(pair), pair), expected, what);
    }
  });

  it('answer health checks of connections without a certificate', async () => {
    const health = await rig.connect({ caFile }).send('/grpc.health.v1.Health/Check', Buffer.alloc(0)).ended;
    assert.equal(health.status, 0);
  });
});
