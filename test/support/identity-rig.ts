/** A gateway's identity server on loopback, without a backbone: clients, tokens and orders, with a clock of the test's own. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { ClientRegistry } from '../../src/gateway/identity/client-registry.js';
import { SecretHasher } from '../../src/gateway/identity/client-secret.js';
import { openIdentityServer } from '../../src/gateway/identity/open-identity-server.js';
import { RevocationList } from '../../src/gateway/identity/revocation-list.js';
import { type GatewayDatabase, openGatewayDatabase } from '../../src/gateway/tables/database.js';
import { createAdminApp } from '../../src/server/admin/app.js';
import { listenAdmin } from '../../src/server/admin/listen.js';
import type { AuditFields } from '../../src/server/audit/event.js';
import type { Identity } from '../../src/server/auth/identity.js';
import type { KeyRing } from '../../src/server/auth/key-ring.js';
import { openAuth } from '../../src/server/auth/open-auth.js';
import type { Scope } from '../../src/server/auth/scopes.js';
import type { Verifier } from '../../src/server/auth/verifier.js';
import { createLogger } from '../../src/server/observability/log.js';
import { createCallMetrics } from '../../src/server/observability/metrics.js';

/** The type of assertions. */
export const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A key pair of a client. */
export interface TestKey {
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
  readonly alg: 'EdDSA' | 'ES256';
}

/** What the endpoint answered. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** A running identity server. */
export interface IdentityRig {
  readonly url: string;
  readonly dir: string;
  readonly identity: Identity;
  readonly ring: KeyRing;
  readonly database: GatewayDatabase;
  readonly registry: ClientRegistry;
  readonly revocations: RevocationList;
  readonly verify: Verifier;
  /** What was audited. */
  readonly audited: readonly AuditFields[];
  now(): number;
  later(ms: number): void;
  /** Posts a form. */
  post(path: string, form: Record<string, string> | string, headers?: Record<string, string>): Promise<Answered>;
  /** An assertion of a client; a test changes single claims. */
  assertion(id: string, key: TestKey, claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** Asks for a token with a new assertion. */
  token(id: string, key: TestKey, form?: Record<string, string>, headers?: Record<string, string>): Promise<Answered>;
  close(): Promise<void>;
}

export async function newTestKey(alg: TestKey['alg'] = 'EdDSA'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true, ...(alg === 'EdDSA' && { crv: 'Ed25519' }) });
  const jwk = await exportJWK(publicKey);
  return { privateKey, publicJwk: { ...jwk, kid: await calculateJwkThumbprint(jwk) }, alg };
}

/** Starts one. */
export async function startIdentityRig(): Promise<IdentityRig> {
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-identity-'));
  let passed = 0;
  const now = (): number => Date.now() + passed;
  const log = createLogger({ level: 'silent' });
  const revocations = new RevocationList(now);
  const config = {
    stateDir: dir,
    listen: { host: '127.0.0.1', port: 0 },
    admin: { host: '127.0.0.1', port: 0 },
    adminTls: false,
    keyRotation: 0,
    tokenLife: 600,
  };
  const auth = await openAuth({ ...config, tlsNames: [], insecure: false }, 'gateway', now, undefined, (ids) => revocations.has(ids));
  const database = await openGatewayDatabase(join(dir, 'gateway.db'));
  const hasher = new SecretHasher({ work: 1024 });
  const audited: AuditFields[] = [];
  const audit = { record: async (event: string, fields: AuditFields = {}) => void audited.push({ event, ...fields }) };
  const server = await openIdentityServer({ config, auth, credentials: 'insecure', database, revocations, audit, log, now, hasher });
  const metrics = createCallMetrics({ process: false });
  const app = createAdminApp({ jwks: auth.jwks, metrics, draining: () => false, log, routers: server.routers });
  const admin = await listenAdmin(app, '127.0.0.1', 0, log);
  const url = `http://127.0.0.1:${admin.port}`;
  const { ring, identity } = auth.embedded!;
  const post: IdentityRig['post'] = async (path, form, headers = {}) => {
    const body = typeof form === 'string' ? form : new URLSearchParams(form).toString();
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const response = await fetch(`${url}${path}`, { method: 'POST', body, headers: { ...type, ...headers } });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? {} : (JSON.parse(text) as Answered['body']) };
  };
  const assertion: IdentityRig['assertion'] = (id, { privateKey, publicJwk, alg }, claims = {}, header = {}) => {
    const seconds = Math.floor(now() / 1000);
    return new SignJWT({ iss: id, sub: id, aud: identity.issuer, iat: seconds, exp: seconds + 60, jti: randomUUID(), ...claims })
      .setProtectedHeader({ alg, kid: publicJwk.kid!, ...header })
      .sign(privateKey);
  };
  return {
    ...{ url, dir, audited, identity, ring, database, revocations, now, post, assertion, verify: auth.verify },
    registry: new ClientRegistry(database, now, hasher),
    later: (ms) => {
      passed += ms;
    },
    token: async (id, key, form = {}, headers = {}) =>
      post(
        '/oauth2/token',
        { grant_type: 'client_credentials', client_assertion_type: ASSERTION, client_assertion: await assertion(id, key), ...form },
        headers,
      ),
    async close() {
      server.close();
      await admin.close();
      await database.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A client of a tenant with a key of its own. */
export async function addClient(rig: IdentityRig, tenant: string, scopes: readonly Scope[] = ['train', 'infer']) {
  const key = await newTestKey();
  const { client } = await rig.registry.add({ tenant, scopes, keys: key.publicJwk });
  return { id: client.id, key };
}
