/**
 * The authorization server over HTTP: token endpoint (RFC 6749), revocation (RFC 7009), and the
 * metadata of RFC 8414 and RFC 9728.
 */
import express, { type ErrorRequestHandler, type Request, type Router } from 'express';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { CutlayerError } from '../../errors.js';
import { requestUrl } from '../../server/admin/authenticate.js';
import { type DpopProofs, proofAlgorithms } from '../../server/auth/dpop.js';
import type { Identity } from '../../server/auth/identity.js';
import { scopesOfRole } from '../../server/auth/scopes.js';
import type { Logger } from '../../server/observability/log.js';
import { RareLine } from '../../server/observability/rare-line.js';
import { clientThumbprint } from '../../server/tls/client-certificate.js';
import { authenticationMethods } from './client-authentication.js';
import { assertionAlgorithms } from './client-keys.js';
import { formParameters, MAX_PARAMETERS } from './form-parameters.js';
import { OAuthError } from './oauth-error.js';
import type { TokenEndpoint, TokenRequestParts } from './token-endpoint.js';

/** The parts of the router. */
export interface OAuthRouterOptions {
  readonly identity: Identity;
  /** Undefined with an external issuer: only the resource's metadata are served. */
  readonly endpoint: TokenEndpoint | undefined;
  readonly proofs: DpopProofs;
  /** Whether tokens are bound to client certificates. */
  readonly bindsCertificates: boolean;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  /** Requests of one address in a minute. */
  readonly requestsPerMinute?: number;
}

const BODY_BYTES = 16 * 1024;
/** One line of refused clients in this time. */
const LINE_EVERY_MS = 1000;

/** Mounted at the root of the admin port. */
export function oauthRouter(options: OAuthRouterOptions): Router {
  const { identity, endpoint, proofs, bindsCertificates, log, requestsPerMinute = 120 } = options;
  const router = express.Router();
  router.get('/.well-known/oauth-protected-resource', (request, response) => {
    response.json({
      resource: identity.audience,
      authorization_servers: [identity.issuer],
      scopes_supported: scopesOfRole.gateway.scopes,
      bearer_methods_supported: ['header'],
      tls_client_certificate_bound_access_tokens: bindsCertificates,
      dpop_signing_alg_values_supported: proofAlgorithms,
      ...(endpoint !== undefined && { jwks_uri: new URL('/.well-known/jwks.json', requestUrl(request)).href }),
    });
  });
  if (endpoint === undefined) return router;
  router.get('/.well-known/oauth-authorization-server', (request, response) => {
    const at = (path: string): string => new URL(path, requestUrl(request)).href;
    response.json({
      issuer: identity.issuer,
      token_endpoint: at('/oauth2/token'),
      revocation_endpoint: at('/oauth2/revoke'),
      jwks_uri: at('/.well-known/jwks.json'),
      scopes_supported: scopesOfRole.gateway.scopes,
      response_types_supported: [],
      grant_types_supported: ['client_credentials'],
      token_endpoint_auth_methods_supported: authenticationMethods,
      token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
      revocation_endpoint_auth_methods_supported: authenticationMethods,
      revocation_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
      tls_client_certificate_bound_access_tokens: bindsCertificates,
      dpop_signing_alg_values_supported: proofAlgorithms,
    });
  });
  const limiter = new RateLimiterMemory({ points: requestsPerMinute, duration: 60 });
  const limited = async (request: Request): Promise<void> => {
    try {
      await limiter.consume(request.socket.remoteAddress ?? '');
    } catch (caught) {
      if (!(caught instanceof RateLimiterRes)) throw caught;
      const retryAfter = Math.ceil(caught.msBeforeNext / 1000);
      throw new OAuthError('slow_down', `requests: ${requestsPerMinute} a minute of one address are the limit`, { retryAfter });
    }
  };
  const body = express.urlencoded({ extended: false, limit: BODY_BYTES, parameterLimit: MAX_PARAMETERS });
  router.post('/oauth2/token', body, async (request, response) => {
    await limited(request);
    const proof = request.headers.dpop;
    if (Array.isArray(proof)) throw new OAuthError('invalid_dpop_proof', 'DPoP: expected one proof');
    const key = proof === undefined ? undefined : await takenProof(proofs, proof, request);
    response.json(await endpoint.token({ ...partsOf(request), key }));
  });
  router.post('/oauth2/revoke', body, async (request, response) => {
    await limited(request);
    await endpoint.revoke(partsOf(request));
    response.status(200).end();
  });
  const line = new RareLine(LINE_EVERY_MS, () => performance.now());
  const onError: ErrorRequestHandler = (caught: unknown, request, response, next) => {
    if (!request.path.startsWith('/oauth2/')) return next(caught);
    const error = oauthErrorOf(caught);
    const unsaid = line.due();
    if (error.code === 'server_error') log.error({ err: error.cause }, 'token endpoint failed');
    else if (unsaid !== undefined) log.warn({ code: error.code, reason: reasonOf(error), unsaid }, 'a token request was refused');
    if (error.retryAfter !== undefined) response.set('Retry-After', String(error.retryAfter));
    if (error.code === 'invalid_client') response.set('WWW-Authenticate', 'Basic realm="cutlayer", charset="UTF-8"');
    response.status(error.status).json({ error: error.code, error_description: error.message });
  };
  router.use(onError);
  return router;
}

function partsOf(request: Request): Omit<TokenRequestParts, 'key'> {
  return {
    parameters: formParameters(request.body),
    authorization: request.headers.authorization,
    certificate: clientThumbprint(request.socket),
  };
}

async function takenProof(proofs: DpopProofs, proof: string, request: Request): Promise<string> {
  try {
    return await proofs.take(proof, { method: request.method, url: requestUrl(request) });
  } catch (caught) {
    const error = CutlayerError.from(caught);
    if (error.code === 'PROOF_REFUSED') throw new OAuthError('invalid_dpop_proof', error.message, { cause: error.cause });
    throw error;
  }
}

function oauthErrorOf(caught: unknown): OAuthError {
  if (caught instanceof OAuthError) return caught;
  // Express's own errors have the status of a bad request.
  if (caught instanceof Error && 'status' in caught && typeof caught.status === 'number' && caught.status < 500)
    return new OAuthError('invalid_request', 'body: malformed, or too large', { cause: caught });
  const { code } = CutlayerError.from(caught);
  if (['QUEUE_FULL', 'UNAVAILABLE', 'DRAINING', 'LIMIT_EXCEEDED'].includes(code))
    return new OAuthError('temporarily_unavailable', 'the gateway is busy; try again in a moment', { cause: caught, retryAfter: 1 });
  return new OAuthError('server_error', 'internal error: the cause is in the log of the gateway', { cause: caught });
}

const reasonOf = ({ cause, message }: OAuthError): string => (cause instanceof Error ? cause.message : message);
