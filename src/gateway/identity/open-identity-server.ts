/** Opens what the admin port says of identity: the token endpoint, its metadata and its clients. */
import type { Request, Router } from 'express';
import { authenticate } from '../../server/admin/authenticate.js';
import { adminCredentials, keepsSecrets } from '../../server/admin/listen.js';
import type { Audit } from '../../server/audit/event.js';
import { DpopProofs } from '../../server/auth/dpop.js';
import type { Auth } from '../../server/auth/open-auth.js';
import type { Principal } from '../../server/auth/scopes.js';
import type { Logger } from '../../server/observability/log.js';
import type { ServerCredentials } from '../../server/tls/open-tls.js';
import type { GatewayConfig } from '../config.js';
import type { GatewayDatabase } from '../tables/database.js';
import { ClientRegistry } from './client-registry.js';
import { SecretHasher } from './client-secret.js';
import { clientsRouter } from './clients-router.js';
import { keepRotating } from './key-rotation.js';
import { oauthRouter } from './oauth-router.js';
import type { RevocationList } from './revocation-list.js';
import { TokenEndpoint } from './token-endpoint.js';

/** What it is made of. */
export interface IdentityServerOptions {
  readonly config: Pick<GatewayConfig, 'admin' | 'adminTls' | 'keyRotation' | 'tokenLife'>;
  readonly auth: Auth;
  readonly credentials: ServerCredentials;
  readonly database: GatewayDatabase;
  readonly revocations: RevocationList;
  readonly audit: Pick<Audit, 'record'>;
  readonly log: Logger;
  readonly hasher?: SecretHasher;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The admin port's part of identity. */
export interface IdentityServer {
  /** None where secrets would cross in the clear. */
  readonly routers: Readonly<Record<`/${string}`, Router>>;
  /** The caller of a request to the admin port. @throws CutlayerError TOKEN_*, PROOF_REFUSED */
  readonly authenticate: (request: Request) => Promise<Principal>;
  readonly close: () => void;
}

/** @throws CutlayerError of the store */
export async function openIdentityServer(options: IdentityServerOptions): Promise<IdentityServer> {
  const { config, auth, credentials, database, revocations, audit, log, now, hasher = new SecretHasher() } = options;
  await revocations.open(database, log);
  const { verify, embedded, identity } = auth;
  const proofs = new DpopProofs(now);
  const stopRotating = embedded && keepRotating({ ring: embedded.ring, days: config.keyRotation, audit, log, now });
  const close = (): void => {
    stopRotating?.();
    revocations.close();
  };
  const caller = (request: Request): Promise<Principal> => authenticate(request, { verify, proofs });
  if (!keepsSecrets(config.admin.host, adminCredentials(config, credentials))) {
    log.warn('the admin port has no TLS: it issues no tokens and takes no orders');
    return { routers: {}, authenticate: caller, close };
  }
  const registry = new ClientRegistry(database, now, hasher);
  const endpoint =
    embedded &&
    new TokenEndpoint({
      ...embedded,
      registry,
      database,
      hasher,
      revocations,
      verify,
      issuer: identity.issuer,
      tokenSeconds: config.tokenLife,
      now,
    });
  const bindsCertificates = credentials !== 'insecure' && credentials.clientCa !== undefined;
  return {
    routers: {
      '/': oauthRouter({ identity, endpoint, proofs, bindsCertificates, log }),
      '/v1/clients': clientsRouter({ registry, revocations, audit, authenticate: caller }),
    },
    authenticate: caller,
    close,
  };
}
