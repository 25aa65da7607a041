/**
 * The OpenAPI part of the routes that are no rows of the administrator's API: tokens, clients,
 * metadata, and what the admin port serves to anyone. A test holds it against the routers.
 */
import { z } from 'zod';
import { scopes } from '../../server/auth/scopes.js';
import { newClientSchema } from '../identity/client-registry.js';
import { oauthErrorCodes } from '../identity/oauth-error.js';
import { commonErrors, failureResponses, jsonSchema } from './openapi.js';

/** Paths as the document has them. */
export type Paths = Readonly<Record<`/${string}`, Readonly<Record<string, unknown>>>>;

const text = z.string();
const texts = z.array(text);
const time = z.iso.datetime();
const listedClient = z.strictObject({
  ...{ id: text, tenant: text, scopes: z.array(z.enum(scopes)), kind: z.enum(['key', 'secret']) },
  ...{ createdAt: time, disabledAt: time.nullable() },
});
const addedClient = z.strictObject({ client: listedClient, secret: text.optional().describe('in no other answer') });
const tokenAnswer = z.strictObject({
  ...{ access_token: text, token_type: z.enum(['Bearer', 'DPoP']), expires_in: z.int().min(1), scope: text },
});
const oauthError = z.strictObject({ error: z.enum(oauthErrorCodes), error_description: text });
/** What proves a client, in a form: an assertion, or a secret (RFC 6749 sec. 2.3, RFC 7523). */
const proof = {
  ...{ client_id: text.optional(), client_secret: text.optional() },
  ...{ client_assertion_type: text.optional(), client_assertion: text.optional() },
};
const tokenForm = z.object({
  ...{ grant_type: z.literal('client_credentials'), scope: text.optional(), resource: text.optional() },
  ...proof,
});
const revocationForm = z.object({ token: text, token_type_hint: text.optional(), ...proof });
const resourceMetadata = z.looseObject({
  ...{ resource: text, authorization_servers: texts, scopes_supported: texts, bearer_methods_supported: texts },
  ...{ tls_client_certificate_bound_access_tokens: z.boolean(), dpop_signing_alg_values_supported: texts, jwks_uri: z.url().optional() },
});
const serverMetadata = z.looseObject({
  ...{ issuer: text, token_endpoint: z.url(), revocation_endpoint: z.url(), jwks_uri: z.url(), scopes_supported: texts },
  ...{ grant_types_supported: texts, token_endpoint_auth_methods_supported: texts, dpop_signing_alg_values_supported: texts },
  tls_client_certificate_bound_access_tokens: z.boolean(),
});

const content = (schema: z.ZodType, type = 'application/json') => ({ [type]: { schema: jsonSchema(schema, 'output') } });
const answer = (description: string, schema?: z.ZodType) => ({ description, ...(schema !== undefined && { content: content(schema) }) });
const oauthFailures = Object.fromEntries(
  [400, 401, 429, 500, 503].map((status) => [status, answer('an error of RFC 6749 sec. 5.2', oauthError)]),
);
const form = (schema: z.ZodType) => ({
  required: true,
  content: { 'application/x-www-form-urlencoded': { schema: jsonSchema(schema, 'input') } },
});
const open = (operationId: string, summary: string, schema: z.ZodType) => ({
  get: { operationId, summary, security: [], parameters: [], responses: { 200: answer(summary, schema) } },
});
const ofAdmin = (operationId: string, summary: string) => ({ operationId, summary, security: [{ token: ['admin'] }] });
/** A client proves itself in the form, or by Basic. */
const ofClient = (operationId: string, summary: string) => ({ operationId, summary, security: [{}, { client: [] }] });

const clientPaths: Paths = {
  '/v1/clients': {
    get: {
      ...ofAdmin('listClients', 'Lists clients, oldest first'),
      parameters: [{ name: 'tenant', in: 'query', required: false, schema: { type: 'string' } }],
      responses: { 200: answer('the clients', z.strictObject({ clients: z.array(listedClient) })), ...failureResponses(commonErrors) },
    },
    post: {
      ...ofAdmin('addClient', 'Registers a client, with keys or a new secret'),
      parameters: [],
      requestBody: { required: true, content: { 'application/json': { schema: jsonSchema(newClientSchema, 'input') } } },
      responses: {
        201: answer('the client', addedClient),
        ...failureResponses([...commonErrors, 'LIMIT_EXCEEDED', 'MESSAGE_TOO_LARGE']),
      },
    },
  },
  '/v1/clients/{id}/disable': {
    post: {
      ...ofAdmin('disableClient', 'Disables a client for good; its tokens are void'),
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
      responses: { 204: answer('disabled'), ...failureResponses([...commonErrors, 'NOT_FOUND']) },
    },
  },
};

const openPaths: Paths = {
  '/.well-known/oauth-protected-resource': open('resourceMetadata', 'The gateway as a resource (RFC 9728)', resourceMetadata),
  '/healthz': {
    get: {
      ...{ operationId: 'health', summary: 'Whether it serves', security: [], parameters: [] },
      responses: {
        200: answer('it serves', z.strictObject({ status: z.literal('serving') })),
        503: answer('it stops', z.strictObject({ status: z.literal('draining') })),
      },
    },
  },
  '/metrics': {
    get: {
      ...{ operationId: 'metrics', summary: 'Metrics for Prometheus', security: [], parameters: [] },
      responses: { 200: { description: 'the metrics', content: content(text, 'text/plain') } },
    },
  },
};

/** Of the embedded issuer. */
const issuerPaths: Paths = {
  '/oauth2/token': {
    post: {
      ...ofClient('requestToken', 'Gives a client an access token (RFC 6749 sec. 4.4)'),
      parameters: [{ name: 'DPoP', in: 'header', required: false, schema: { type: 'string' } }],
      requestBody: form(tokenForm),
      responses: { 200: answer('the token', tokenAnswer), ...oauthFailures },
    },
  },
  '/oauth2/revoke': {
    post: {
      ...ofClient('revokeToken', 'Voids a token of the client that asks (RFC 7009)'),
      parameters: [],
      requestBody: form(revocationForm),
      responses: { 200: answer('the token is void, or was'), ...oauthFailures },
    },
  },
  '/.well-known/oauth-authorization-server': open('serverMetadata', 'The authorization server (RFC 8414)', serverMetadata),
  '/.well-known/jwks.json': open(
    'publicKeys',
    'The keys that sign tokens (RFC 7517)',
    z.looseObject({ keys: z.array(z.looseObject({ kid: text, kty: text })) }),
  ),
};

/** The paths. @param embedded whether the gateway issues its own tokens */
export const identityPaths = (embedded: boolean): Paths => ({ ...clientPaths, ...openPaths, ...(embedded && issuerPaths) });
