/** Proves the client of a request, by exactly one method (RFC 6749 sec. 2.3, RFC 7523). */

import type { GatewayDatabase } from '../tables/database.js';
import { assertedClient, checkAssertion, JWT_BEARER } from './client-assertion.js';
import type { ClientRegistry, RegisteredClient } from './client-registry.js';
import type { SecretHasher } from './client-secret.js';
import { invalidClient, OAuthError } from './oauth-error.js';

/** Methods by the names of RFC 8414. */
export const authenticationMethods = ['private_key_jwt', 'client_secret_basic', 'client_secret_post'] as const;

/** A request's parameters, each given once. */
export type Parameters = Readonly<Record<string, string>>;

/** What checks clients. */
export interface AuthenticationOptions {
  readonly registry: ClientRegistry;
  readonly database: GatewayDatabase;
  readonly hasher: SecretHasher;
  readonly issuer: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

interface Secret {
  readonly id: string;
  readonly secret: string;
}

/**
 * The client, proven.
 * @param authorization the header, if any
 * @throws OAuthError invalid_request, invalid_client, temporarily_unavailable
 */
export async function authenticateClient(
  parameters: Parameters,
  authorization: string | undefined,
  options: AuthenticationOptions,
): Promise<RegisteredClient> {
  const { client_id, client_secret, client_assertion, client_assertion_type } = parameters;
  const given = [authorization, client_secret, client_assertion].filter((value) => value !== undefined).length;
  if (given !== 1) throw new OAuthError('invalid_request', `client: expected one proof, got ${given}; give an assertion or a secret`);
  if (client_assertion !== undefined) {
    if (client_assertion_type !== JWT_BEARER) throw new OAuthError('invalid_request', `client_assertion_type: expected ${JWT_BEARER}`);
    return byAssertion(client_assertion, client_id, options);
  }
  if (authorization !== undefined) return bySecret(basic(authorization), client_id, options);
  if (client_id === undefined) throw new OAuthError('invalid_request', 'client_id: expected one with client_secret');
  return bySecret({ id: client_id, secret: client_secret! }, client_id, options);
}

async function byAssertion(
  assertion: string,
  clientId: string | undefined,
  { registry, database, issuer, now }: AuthenticationOptions,
): Promise<RegisteredClient> {
  try {
    const id = assertedClient(assertion);
    if (clientId !== undefined && clientId !== id) throw new Error('client_id is of another client');
    const client = await registry.find(id);
    if (client?.kind !== 'key' || client.disabled) throw new Error('no client of this id with a key');
    const at = now();
    const { id: assertionId, endsAt } = await checkAssertion(assertion, client, issuer, at);
    const isNew = await database.transaction(async ({ usedAssertions }) => {
      await usedAssertions.forget(at);
      return usedAssertions.use({ client: id, id: assertionId, endsAt });
    });
    if (!isNew) throw new Error('its assertion was used before');
    return client;
  } catch (cause) {
    throw invalidClient(cause);
  }
}

async function bySecret(
  { id, secret }: Secret,
  clientId: string | undefined,
  { registry, hasher }: AuthenticationOptions,
): Promise<RegisteredClient> {
  if (clientId !== undefined && clientId !== id) throw invalidClient(new Error('client_id is of another client'));
  const client = await registry.find(id);
  const usable = client?.kind === 'secret' && !client.disabled ? client : undefined;
  // A secret is hashed for unknown clients too: the time tells nothing of which ids there are.
  const matches = await hasher.matches(secret, usable?.hash);
  if (usable === undefined || !matches) throw invalidClient(new Error('no client of this id with this secret'));
  return usable;
}

/** Id and secret of `Basic`, each encoded as a form value (RFC 6749 sec. 2.3.1). */
function basic(header: string): Secret {
  const encoded = /^Basic ([A-Za-z0-9+/]{1,2048}={0,2})$/i.exec(header)?.[1];
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8');
  const at = text.indexOf(':');
  if (at < 1) throw new OAuthError('invalid_request', 'Authorization: expected Basic with id and secret');
  try {
    const [id, secret] = [text.slice(0, at), text.slice(at + 1)].map((part) => decodeURIComponent(part.replaceAll('+', ' ')));
    return { id: id!, secret: secret! };
  } catch (cause) {
    throw new OAuthError('invalid_request', 'Authorization: expected Basic with id and secret, each form-encoded', { cause });
  }
}
