/** Registers clients of tenants, lists them and disables them. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { scopes as allScopes, knownScopes, type Scope, TENANT_PATTERN } from '../../server/auth/scopes.js';
import type { ClientKind, ClientRow } from '../tables/clients.js';
import type { GatewayDatabase } from '../tables/database.js';
import { type ClientKey, parseClientKeys } from './client-keys.js';
import { newSecret, type SecretHash, SecretHasher, secretHashSchema } from './client-secret.js';

/** Most registered clients, disabled ones included. */
const MAX_CLIENTS = 10_000;
const MAX_CLIENTS_OF_TENANT = 100;

/** A client to be registered. */
export interface NewClient {
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  /** A JWK or a JWK set; undefined: a secret is made for it. */
  readonly keys?: unknown;
}

/** A client as lists show it: without its credential. */
export interface ListedClient {
  readonly id: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  readonly kind: ClientKind;
  readonly createdAt: string;
  readonly disabledAt: string | null;
}

/** A registered client as the token endpoint uses it. */
export type RegisteredClient = {
  readonly id: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  readonly disabled: boolean;
} & ({ readonly kind: 'key'; readonly keys: readonly ClientKey[] } | { readonly kind: 'secret'; readonly hash: SecretHash });

/** A new client; a secret is in no other answer. */
export interface AddedClient {
  readonly client: ListedClient;
  readonly secret: string | undefined;
}

/** The clients in a gateway's database. */
export class ClientRegistry {
  readonly #database: GatewayDatabase;
  readonly #hasher: SecretHasher;
  readonly #now: () => number;

  /** @param now milliseconds since 1970 */
  constructor(database: GatewayDatabase, now: () => number, hasher = new SecretHasher()) {
    this.#database = database;
    this.#hasher = hasher;
    this.#now = now;
  }

  /** @throws CutlayerError INVALID_ARGUMENT, LIMIT_EXCEEDED */
  async add({ tenant, scopes, keys }: NewClient): Promise<AddedClient> {
    if (!TENANT_PATTERN.test(tenant))
      throw new CutlayerError('INVALID_ARGUMENT', 'tenant: expected 1 to 64 of [A-Za-z0-9._-], a letter or digit first');
    if (scopes.length === 0) throw new CutlayerError('INVALID_ARGUMENT', 'scopes: expected at least one');
    const secret = keys === undefined ? newSecret() : undefined;
    const credential = secret === undefined ? { keys: await parseClientKeys(keys) } : await this.#hasher.hash(secret);
    const row = {
      ...{ id: `client_${randomBytes(12).toString('hex')}`, tenant, scopes: scopes.join(' ') },
      ...{ kind: secret === undefined ? ('key' as const) : ('secret' as const), credential, createdAt: this.#now() },
    };
    await this.#database.transaction(async ({ clients }) => {
      if ((await clients.count()) >= MAX_CLIENTS)
        throw new CutlayerError('LIMIT_EXCEEDED', `clients: ${MAX_CLIENTS} are registered, which is the limit`);
      if ((await clients.count(tenant)) >= MAX_CLIENTS_OF_TENANT)
        throw new CutlayerError('LIMIT_EXCEEDED', `clients: ${MAX_CLIENTS_OF_TENANT} of ${tenant} are registered, which is the limit`);
      await clients.add(row);
    });
    return { client: listed({ ...row, disabledAt: null }), secret };
  }

  /** All, or those of a tenant; oldest first. */
  async list(tenant?: string): Promise<readonly ListedClient[]> {
    return (await this.#database.transaction(({ clients }) => clients.list(tenant))).map(listed);
  }

  /** Disables a client for good. @throws CutlayerError NOT_FOUND */
  async disable(id: string): Promise<void> {
    await this.#database.transaction(({ clients }) => clients.disable(id, this.#now()));
  }

  /** Undefined when there is none of this id. @throws CutlayerError STORE_CORRUPT */
  async find(id: string): Promise<RegisteredClient | undefined> {
    const row = await this.#database.transaction(({ clients }) => clients.read(id));
    if (row === undefined) return undefined;
    const { tenant, kind, credential, disabledAt } = row;
    const common = { id, tenant, scopes: scopesOf(row), disabled: disabledAt !== null };
    try {
      if (kind === 'key') return { ...common, kind, keys: await parseClientKeys(credential) };
      return { ...common, kind, hash: secretHashSchema.parse(credential) };
    } catch (cause) {
      throw new CutlayerError('STORE_CORRUPT', `client ${id}: expected keys or a hash in the store; restore a backup`, { cause });
    }
  }
}

/** A body of the admin API that registers a client. */
export const newClientSchema = z.strictObject({
  tenant: z.string(),
  scopes: z.array(z.enum(allScopes)).min(1).optional(),
  keys: z.unknown().optional(),
});

const scopesOf = ({ scopes }: Pick<ClientRow, 'scopes'>): readonly Scope[] => [...knownScopes(scopes)];

const time = (ms: number): string => new Date(ms).toISOString();

function listed(row: ClientRow): ListedClient {
  const { id, tenant, kind, createdAt, disabledAt } = row;
  return { id, tenant, scopes: scopesOf(row), kind, createdAt: time(createdAt), disabledAt: disabledAt === null ? null : time(disabledAt) };
}
