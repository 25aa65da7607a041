/** The work of the token endpoint: client_credentials, and revocation. No HTTP here. */
import { decodeJwt } from 'jose';
import type { Identity } from '../../server/auth/identity.js';
import { issueToken } from '../../server/auth/issuer.js';
import type { KeyRing } from '../../server/auth/key-ring.js';
import type { Scope } from '../../server/auth/scopes.js';
import type { Confirmation } from '../../server/auth/sender.js';
import type { Verifier } from '../../server/auth/verifier.js';
import type { GatewayDatabase } from '../tables/database.js';
import { type AuthenticationOptions, authenticateClient, type Parameters } from './client-authentication.js';
import type { RegisteredClient } from './client-registry.js';
import { OAuthError } from './oauth-error.js';
import type { RevocationList } from './revocation-list.js';

/** The parts of the endpoint. */
export interface TokenEndpointOptions extends AuthenticationOptions {
  readonly ring: KeyRing;
  readonly identity: Identity;
  readonly database: GatewayDatabase;
  readonly revocations: RevocationList;
  /** Life of its tokens. */
  readonly tokenSeconds: number;
  /** Checks the signature of a token that is to be revoked, whatever it is bound to. */
  readonly verify: Verifier;
}

/** A request as HTTP brought it. */
export interface TokenRequestParts {
  readonly parameters: Parameters;
  readonly authorization: string | undefined;
  /** Thumbprint of the connection's client certificate, of a trusted authority. */
  readonly certificate: string | undefined;
  /** Thumbprint of the key of the DPoP proof, checked. */
  readonly key: string | undefined;
}

/** The answer of RFC 6749 sec. 5.1. */
export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'Bearer' | 'DPoP';
  readonly expires_in: number;
  readonly scope: string;
}

/** Issues and revokes tokens of registered clients. */
export class TokenEndpoint {
  readonly #options: TokenEndpointOptions;

  constructor(options: TokenEndpointOptions) {
    this.#options = options;
  }

  /** @throws OAuthError; CutlayerError of the store */
  async token({ parameters, authorization, certificate, key }: TokenRequestParts): Promise<TokenAnswer> {
    const { ring, identity, tokenSeconds, now } = this.#options;
    const { grant_type, scope, resource } = parameters;
    if (grant_type === undefined) throw new OAuthError('invalid_request', 'grant_type: expected client_credentials, got none');
    if (grant_type !== 'client_credentials') throw new OAuthError('unsupported_grant_type', 'grant_type: expected client_credentials');
    const client = await authenticateClient(parameters, authorization, this.#options);
    await this.#requireTenant(client);
    if (resource !== undefined && resource !== identity.audience)
      throw new OAuthError('invalid_target', `resource: expected ${identity.audience}`);
    const scopes = grantedScopes(client, scope);
    const cnf: Confirmation = { ...(certificate !== undefined && { 'x5t#S256': certificate }), ...(key !== undefined && { jkt: key }) };
    await ring.reload();
    const request = {
      ...{ tenant: client.tenant, clientId: client.id, scopes, ttlSeconds: tokenSeconds },
      cnf: Object.keys(cnf).length === 0 ? undefined : cnf,
    };
    return {
      access_token: await issueToken(ring, identity, request, now()),
      token_type: key === undefined ? 'Bearer' : 'DPoP',
      expires_in: tokenSeconds,
      scope: scopes.join(' '),
    };
  }

  /**
   * Revokes a token of the client that asks (RFC 7009). A token that is void already, or not one of
   * this server, is no error.
   * @throws OAuthError; CutlayerError of the store
   */
  async revoke({ parameters, authorization }: Pick<TokenRequestParts, 'parameters' | 'authorization'>): Promise<void> {
    const client = await authenticateClient(parameters, authorization, this.#options);
    const { token } = parameters;
    if (token === undefined) throw new OAuthError('invalid_request', 'token: expected the token to revoke');
    const found = await this.#ownToken(token);
    if (found === undefined) return;
    if (found.clientId !== client.id) throw new OAuthError('unauthorized_client', 'token: it is of another client');
    await this.#options.revocations.revoke(found.id, found.endsAt);
  }

  /** Undefined for a token that is void. */
  async #ownToken(token: string) {
    try {
      const { cnf } = decodeJwt<{ cnf?: Confirmation }>(token);
      const { tokenId, clientId, expiresAt } = await this.#options.verify(token, { certificate: cnf?.['x5t#S256'], key: cnf?.jkt });
      return { id: tokenId, clientId, endsAt: expiresAt };
    } catch {
      return undefined;
    }
  }

  /** @throws OAuthError unauthorized_client when the tenant is suspended or deleted */
  async #requireTenant({ tenant }: RegisteredClient): Promise<void> {
    const row = await this.#options.database.transaction(({ tenants }) => tenants.read(tenant));
    if (row !== undefined && row.status !== 'active')
      throw new OAuthError('unauthorized_client', 'client: its tenant is not active; ask the vendor');
  }
}

/** What was asked for, or all that the client may have. @throws OAuthError invalid_scope */
function grantedScopes(client: RegisteredClient, asked: string | undefined): readonly Scope[] {
  if (asked === undefined) return client.scopes;
  const words = asked.split(' ').filter((word) => word !== '');
  const beyond = words.some((word) => !(client.scopes as readonly string[]).includes(word));
  if (words.length === 0 || beyond) throw new OAuthError('invalid_scope', `scope: expected some of ${client.scopes.join(' ')}`);
  return client.scopes.filter((scope) => words.includes(scope));
}
