/** The work of `cutlayer gateway client add | list | disable`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair } from 'jose';
import { z } from 'zod';
import { clientCredentialsSchema, writeClientCredentials } from '../../../clients/typescript/connection/client-credentials.js';
import { CutlayerError } from '../../errors.js';
import { parseJson } from '../../files/json-text.js';
import { stderr, stdout } from '../../files/output.js';
import { type AddedClient, ClientRegistry, type ListedClient } from '../../gateway/identity/client-registry.js';
import { openGatewayDatabase } from '../../gateway/tables/database.js';
import { openIdentity } from '../../server/auth/identity.js';
import { parseScopes, type Scope } from '../../server/auth/scopes.js';
import { type AdminConnection, type AdminPlace, openAdminConnection } from './admin-connection.js';
import { type AuditPlace, auditOrder } from './audit-order.js';

/** Where the gateway's state is. */
interface Place extends AdminPlace, AuditPlace {
  /** Of the signing keys, where it is another. */
  readonly keysDir?: string | undefined;
  readonly database?: string | undefined;
}

interface AddFlags extends Place {
  readonly out?: string | undefined;
  readonly tokenUrl?: string | undefined;
  readonly publicKey?: string | undefined;
  readonly secret: boolean;
  readonly scope: string;
}

/** @throws CutlayerError INVALID_OPTION, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, IO_ERROR */
export async function addClient(tenant: string, flags: AddFlags): Promise<void> {
  const { out, publicKey, secret } = flags;
  if ([out, publicKey, secret || undefined].filter((way) => way !== undefined).length !== 1)
    throw new CutlayerError('INVALID_OPTION', 'client: expected one of --out, --public-key and --secret');
  const scopes = parseScopes(flags.scope);
  const running = await openAdminConnection(flags);
  requireOwnIssuer(running);
  if (publicKey !== undefined) {
    const { client } = await register(flags, running, { tenant, scopes, keys: await readKey(publicKey) });
    stdout.line(client.id);
    return;
  }
  if (secret) {
    const added = await register(flags, running, { tenant, scopes });
    stdout.line(`${added.client.id} ${added.secret}`);
    stderr.line('The secret is not shown again.');
    return;
  }
  const tokenUrl = flags.tokenUrl ?? (running && `${running.url}/oauth2/token`);
  if (tokenUrl === undefined)
    throw new CutlayerError(
      'INVALID_OPTION',
      '--token-url: expected the address of the token endpoint, where no gateway runs with --state-dir',
    );
  const credentials = await registerWithKey(tenant, scopes, tokenUrl, { ...flags, running });
  await writeClientCredentials(out!, credentials);
  stdout.line(`wrote ${out}: client ${credentials.clientId} of ${tenant}`);
}

/** A client of another issuer asks that one. @throws CutlayerError INVALID_OPTION */
export function requireOwnIssuer(running: AdminConnection | undefined): void {
  const issuer = running?.externalIssuer ?? null;
  if (issuer !== null)
    throw new CutlayerError(
      'INVALID_OPTION',
      `client: the gateway takes tokens of ${issuer} alone (--jwks-url); register the client there`,
    );
}

/** Registers a client with a new key, and gives what the client holds. @throws CutlayerError */
export async function registerWithKey(
  tenant: string,
  scopes: readonly Scope[],
  tokenUrl: string,
  place: Place & { readonly running: AdminConnection | undefined },
): Promise<z.output<typeof clientCredentialsSchema>> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const { issuer } = await openIdentity(place.keysDir ?? place.stateDir, {}, 'gateway');
  const { client } = await register(place, place.running, { tenant, scopes, keys: await exportJWK(publicKey) });
  return clientCredentialsSchema.parse({ clientId: client.id, tokenUrl, issuer, key: await exportJWK(privateKey) });
}

/** @throws CutlayerError IO_ERROR, and what the gateway said */
export async function listClients(
  flags: Place & { readonly tenant?: string | undefined; readonly format: 'text' | 'json' },
): Promise<void> {
  const { tenant, format } = flags;
  const running = await openAdminConnection(flags);
  const path = tenant === undefined ? '/v1/clients' : (`/v1/clients?tenant=${encodeURIComponent(tenant)}` as const);
  const clients = running
    ? listSchema.parse(await running.request('GET', path)).clients
    : await withRegistry(flags, (registry) => registry.list(tenant));
  if (format === 'json') stdout.line(JSON.stringify({ clients }));
  else for (const client of clients) stdout.line(lineOf(client));
}

/** @throws CutlayerError NOT_FOUND, IO_ERROR */
export async function disableClient(id: string, flags: Place): Promise<void> {
  const running = await openAdminConnection(flags);
  if (running) await running.request('POST', `/v1/clients/${encodeURIComponent(id)}/disable`);
  else
    await withRegistry(flags, async (registry) => {
      await auditOrder(flags, 'admin', { action: 'client disable', client: id });
      await registry.disable(id);
    });
  stdout.line(`disabled ${id}`);
}

const clientSchema: z.ZodType<ListedClient> = z.object({
  ...{ id: z.string(), tenant: z.string(), scopes: z.array(z.enum(['model:read', 'train', 'infer', 'federate', 'admin'])) },
  ...{ kind: z.enum(['key', 'secret']), createdAt: z.string(), disabledAt: z.string().nullable() },
});
const listSchema = z.object({ clients: z.array(clientSchema) });
const addedSchema = z.object({ client: clientSchema, secret: z.string().optional() });

interface NewClientFlags {
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  readonly keys?: unknown;
}

/** By the running gateway, which has the database open; else in the database itself. */
async function register(place: Place, running: AdminConnection | undefined, client: NewClientFlags): Promise<AddedClient> {
  if (running === undefined)
    return withRegistry(place, async (registry) => {
      await auditOrder(place, 'admin', { action: 'client add', tenant: client.tenant });
      return registry.add(client);
    });
  const added = addedSchema.parse(await running.request('POST', '/v1/clients', client));
  return { client: added.client, secret: added.secret };
}

async function withRegistry<Result>(
  { stateDir, database: file }: Place,
  work: (registry: ClientRegistry) => Promise<Result>,
): Promise<Result> {
  const database = await openGatewayDatabase(file ?? join(stateDir, 'gateway.db'));
  try {
    return await work(new ClientRegistry(database, Date.now));
  } finally {
    await database.close();
  }
}

async function readKey(file: string): Promise<unknown> {
  const content = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${file}: no such file; give a public JWK`, { cause });
  });
  try {
    return parseJson(content);
  } catch {
    // The cause would quote the file, which may hold a private key.
    throw new CutlayerError('INVALID_ARGUMENT', `${file}: expected a public JWK, or a JWK set`);
  }
}

function lineOf({ id, tenant, kind, scopes, createdAt, disabledAt }: ListedClient): string {
  const state = disabledAt === null ? 'active' : `disabled ${disabledAt.slice(0, 10)}`;
  return `${id}  ${tenant}  ${kind}  ${scopes.join(' ')}  since ${createdAt.slice(0, 10)}  ${state}`;
}
