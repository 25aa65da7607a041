/** The keys of an external issuer, over HTTP, under floods of tokens with unknown key ids. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { CutlayerError } from '../../../src/errors.js';
import {
  createVerifier,
  FAILED_FETCH_COOLDOWN_MS,
  FETCH_COOLDOWN_MS,
  remoteKeys,
  type Verifier,
} from '../../../src/server/auth/verifier.js';
import { newTestKey, type TestKey } from '../../support/identity-rig.js';

const identity = { issuer: 'https://id.example', audience: 'cutlayer' };
const FLOOD = 500;

describe('the keys of an external issuer', () => {
  let server: Server;
  let fetched: number;
  let status: number;
  let served: TestKey[];
  let verify: Verifier;
  let now: number;
  const systemNow = Date.now;

  beforeEach(async () => {
    [fetched, status] = [0, 200];
    served = [await newTestKey()];
    server = createServer((_request, response) => {
      fetched += 1;
      response.statusCode = status;
      response.end(JSON.stringify({ keys: served.map(({ publicJwk }) => publicJwk) }));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    verify = createVerifier(identity, remoteKeys(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`)), () => now);
    now = systemNow();
    // The cooldown is by the system's clock.
    Date.now = () => now;
  });
  afterEach(async () => {
    Date.now = systemNow;
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });

  const token = ({ privateKey, publicJwk }: TestKey, kid = publicJwk.kid!): Promise<string> =>
    new SignJWT({ scope: 'train', tenant: 'acme', client_id: 'acme' })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
      .setIssuer(identity.issuer)
      .setAudience(identity.audience)
      .setIssuedAt(Math.floor(now / 1000))
      .setExpirationTime(Math.floor(now / 1000) + 3600)
      .setJti(randomUUID())
      .sign(privateKey);
  const codeOf = (given: string): Promise<string> =>
    verify(given).then(
      () => 'OK',
      (error: unknown) => CutlayerError.from(error).code,
    );
  /** Tokens of a stranger, each with a key id of its own; how they fared. */
  async function flood(count: number): Promise<ReadonlySet<string>> {
    const stranger = await newTestKey();
    const tokens = await Promise.all(Array.from({ length: count }, () => token(stranger, randomUUID())));
    const codes = new Set<string>();
    for (let at = 0; at < count; at += 50) for (const code of await Promise.all(tokens.slice(at, at + 50).map(codeOf))) codes.add(code);
    return codes;
  }

  it('are fetched once per cooldown, whatever number of unknown ones is asked for, and the known ones stay good', async () => {
    assert.equal(await codeOf(await token(served[0]!)), 'OK');
    assert.equal(fetched, 1);
    assert.deepEqual([...(await flood(FLOOD))], ['TOKEN_INVALID']);
    assert.equal(fetched, 1);
    now += FETCH_COOLDOWN_MS + 1;
    const [codes, own] = await Promise.all([flood(FLOOD), codeOf(await token(served[0]!))]);
    assert.deepEqual([[...codes], own], [['TOKEN_INVALID'], 'OK']);
    assert.equal(fetched, 2);
  });

  it('are taken when the issuer has a new one, after the cooldown of a flood', async () => {
    await flood(20);
    const added = await newTestKey();
    served.push(added);
    const early = await token(added);
    assert.equal(await codeOf(early), 'TOKEN_INVALID');
    assert.equal(fetched, 1);
    now += FETCH_COOLDOWN_MS + 1;
    assert.equal(await codeOf(early), 'OK');
    assert.equal(fetched, 2);
  });

  it('are asked for once in a while of an issuer that fails, and then taken', async () => {
    status = 500;
    assert.deepEqual([...(await flood(FLOOD))], ['UNAVAILABLE']);
    assert.equal(fetched, 1);
    status = 200;
    const good = await token(served[0]!);
    assert.equal(await codeOf(good), 'UNAVAILABLE');
    now += FAILED_FETCH_COOLDOWN_MS + 1;
    assert.equal(await codeOf(good), 'OK');
    assert.equal(fetched, 2);
  });
});
