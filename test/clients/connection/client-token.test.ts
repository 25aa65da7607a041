import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK } from 'jose';
import { parseClientCredentials, writeClientCredentials } from '../../../clients/typescript/connection/client-credentials.js';
import { tokenSource } from '../../../clients/typescript/connection/token-source.js';
import { addClient, type IdentityRig, startIdentityRig } from '../../support/identity-rig.js';

describe('a client with a key', () => {
  let rig: IdentityRig;
  let tokenFile: string;
  let clientId: string;
  before(async () => {
    rig = await startIdentityRig();
    const { id, key } = await addClient(rig, 'acme');
    clientId = id;
    tokenFile = join(rig.dir, 'acme.client');
    const credentials = {
      clientId,
      tokenUrl: `${rig.url}/oauth2/token`,
      issuer: rig.identity.issuer,
      key: await exportJWK(key.privateKey),
    };
    await writeClientCredentials(tokenFile, credentials);
  });
  after(() => rig.close());

  const requests = async (): Promise<number> => {
    const rows = await rig.database.transaction(({ usedAssertions }) => usedAssertions.count());
    return rows;
  };

  it('gets its token by itself, once for all calls that wait', async () => {
    const before = await requests();
    const source = tokenSource({ tokenFile });
    const tokens = new Set(await Promise.all([1, 2, 3, 4].map((at) => source(at > 2))));
    assert.equal(tokens.size, 1);
    assert.equal((await rig.verify([...tokens][0]!)).clientId, clientId);
    assert.equal((await requests()) - before, 1);
    assert.ok(!tokens.has(await source(true)));
  });

  it('renews its token before the end, while calls go on with the one that is good', async () => {
    let now = 0;
    const source = tokenSource({ tokenFile }, 'gateway', () => now);
    const first = await source(false);
    now = 479_000;
    assert.equal(await source(false), first);
    const before = await requests();
    now = 481_000;
    assert.equal(await source(false), first);
    while ((await source(false)) === first) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal((await requests()) - before, 1);
  });

  it('goes on with a good token while the endpoint does not answer', async () => {
    let now = 0;
    const moved = join(rig.dir, 'moved.client');
    const source = tokenSource({ tokenFile: moved }, 'gateway', () => now);
    await writeFile(moved, 'a-token');
    assert.equal(await source(false), 'a-token');
    await rm(moved);
    now = 1e12;
    assert.equal(await source(false), 'a-token');
    await assert.rejects(source(true), { code: 'NOT_FOUND' });
  });

  it('is told when it is refused, and of an endpoint that is not safe or not there', async () => {
    const { id } = await addClient(rig, 'acme');
    const good = parseClientCredentials((await readFile(tokenFile, 'utf8')).trim(), tokenFile)!;
    const attempt = async (change: object): Promise<unknown> => {
      const file = join(rig.dir, 'changed.client');
      await writeFile(file, JSON.stringify({ ...good, ...change }));
      return tokenSource({ tokenFile: file })(false);
    };
    await assert.rejects(attempt({ clientId: id }), { code: 'TOKEN_INVALID', message: /refused client .* \(invalid_client: / });
    await assert.rejects(attempt({ tokenUrl: 'http://192.0.2.1/oauth2/token' }), { code: 'INVALID_ARGUMENT', message: /in the clear/ });
    await assert.rejects(attempt({ tokenUrl: 'http://127.0.0.1:1/oauth2/token' }), { code: 'UNAVAILABLE' });
    await assert.rejects(attempt({ key: { kty: 'oct', k: 'x' } }), { code: 'INVALID_ARGUMENT', message: /expected the credentials/ });
  });
});
