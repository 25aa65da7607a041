/** A token endpoint over a database of this process, with one client that has a key and one that has a secret. */
import { join } from 'node:path';
import { ClientRegistry } from '../../src/gateway/identity/client-registry.js';
import { SecretHasher } from '../../src/gateway/identity/client-secret.js';
import { RevocationList } from '../../src/gateway/identity/revocation-list.js';
import { TokenEndpoint } from '../../src/gateway/identity/token-endpoint.js';
import { openGatewayDatabase } from '../../src/gateway/tables/database.js';
import { KeyRing } from '../../src/server/auth/key-ring.js';
import { createVerifier, keyRingKeys } from '../../src/server/auth/verifier.js';
import { AUDIENCE, CLIENT, ISSUER, NOW, publicJwk } from './identity-values.js';
import { scratchDirectory } from './scratch-files.js';

/** The client with a secret, and its secret. */
export const SECRET_CLIENT = 'client_secret';
export const SECRET = 'a-secret';

/** What a target runs. */
export async function fuzzedEndpoint(name: string) {
  const dir = join(scratchDirectory(), name);
  const ring = await KeyRing.open(dir);
  const database = await openGatewayDatabase(join(dir, 'gateway.db'));
  const hasher = new SecretHasher({ work: 16 });
  const hash = await hasher.hash(SECRET);
  const common = { tenant: 'acme', scopes: 'train infer', createdAt: NOW };
  await database.transaction(async ({ clients }) => {
    await clients.add({ ...common, id: CLIENT, kind: 'key', credential: { keys: [publicJwk] } });
    await clients.add({ ...common, id: SECRET_CLIENT, kind: 'secret', credential: hash });
  });
  const now = () => NOW;
  const revocations = new RevocationList(now);
  await revocations.open(database, { error: () => undefined } as never); // its refreshes are not due in a run
  revocations.close();
  const identity = { issuer: ISSUER, audience: AUDIENCE };
  const verify = createVerifier(identity, keyRingKeys(ring), now);
  const registry = new ClientRegistry(database, now, hasher);
  const options = { registry, database, hasher, issuer: ISSUER, now };
  const endpoint = new TokenEndpoint({ ...options, ring, identity, revocations, verify, tokenSeconds: 600 });
  return {
    endpoint,
    options,
    verify,
    ring,
    identity,
    revocations,
    forget: () => database.transaction(({ usedAssertions }) => usedAssertions.forget(NOW + 1e9)),
  };
}
