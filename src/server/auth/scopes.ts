/** Scopes of tokens: today's names, and the older names that still stand for them. */
import { CutlayerError } from '../../errors.js';

/** The closed list of scopes. */
export const scopes = ['model:read', 'train', 'infer', 'federate', 'admin'] as const;

/** One of {@link scopes}. */
export type Scope = (typeof scopes)[number];

/** Names of earlier tokens. */
const olderNames = {
  'split:train': 'train',
  'split:infer': 'infer',
  'federation:participate': 'federate',
  'federation:admin': 'admin',
} as const satisfies Readonly<Record<string, Scope>>;

/** A scope, or its older name. */
export type ScopeName = Scope | keyof typeof olderNames;

/** The names that one kind of server reads in a token; it ignores all others. */
interface ScopeList {
  readonly scopes: readonly Scope[];
  /** An older name gives a right at the kind of server only that has issued it. */
  readonly older: readonly (keyof typeof olderNames)[];
}

/** The scopes of each kind of server. */
export const scopesOfRole = {
  gateway: { scopes: ['model:read', 'train', 'infer', 'admin'], older: ['split:train', 'split:infer'] },
  coordinator: { scopes: ['federate', 'admin'], older: ['federation:participate', 'federation:admin'] },
} as const satisfies Readonly<Record<string, ScopeList>>;

/** A server that checks scopes. */
export type ScopedRole = keyof typeof scopesOfRole;

/** What a tenant's token allows by default. */
export const tenantScopes = ['model:read', 'train', 'infer'] as const satisfies readonly Scope[];

/** The caller, as its verified token says. */
export interface Principal {
  readonly tenant: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The token's id, for the log. */
  readonly tokenId: string;
  /** The client that asked for it, where the token says so. */
  readonly clientId?: string;
  /** When it was issued, in milliseconds since 1970. */
  readonly issuedAt?: number;
  /** The end of the token, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Tenants' names: 1 to 64 of [A-Za-z0-9._-], a letter or digit first. Used in keys and labels. */
export const TENANT_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Today's name of a scope. */
export const scopeOf = (name: ScopeName): Scope => (isOlderName(name) ? olderNames[name] : name);

const isOlderName = (name: string): name is keyof typeof olderNames => Object.hasOwn(olderNames, name);

/** What a word of a token means to a server; undefined: nothing. */
function meaning(word: string, { scopes: known, older }: ScopeList): Scope | undefined {
  if (isOlderName(word)) return older.includes(word) ? olderNames[word] : undefined;
  return known.find((scope) => scope === word);
}

/**
 * The scopes that a server knows of a space-separated list; others are left out (RFC 6749 sec.
 * 3.3).
 */
export function knownScopes(list: string, role: ScopedRole = 'gateway'): ReadonlySet<Scope> {
  const given = new Set(list.split(' ').map((word) => meaning(word, scopesOfRole[role])));
  return new Set(scopes.filter((scope) => given.has(scope)));
}

/**
 * Parses a list of scopes, older names included.
 * @param role the server that must know them
 * @throws CutlayerError INVALID_ARGUMENT when it is empty or holds an unknown scope
 */
export function parseScopes(list: string, role: ScopedRole = 'gateway'): readonly Scope[] {
  const words = list.split(/[\s,]+/).filter((word) => word !== '');
  const known = scopesOfRole[role];
  const unknown = words.find((word) => meaning(word, known) === undefined);
  if (words.length === 0 || unknown !== undefined) {
    throw new CutlayerError('INVALID_ARGUMENT', `scope: expected one or more of ${known.scopes.join(', ')}, got ${unknown ?? 'nothing'}`);
  }
  const given = new Set(words.map((word) => meaning(word, known)));
  return scopes.filter((scope) => given.has(scope));
}

/** @throws CutlayerError SCOPE_MISSING unless the principal has one of the scopes */
export function requireScope(principal: Principal, ...anyOf: readonly Scope[]): void {
  if (anyOf.some((scope) => principal.scopes.has(scope))) return;
  throw new CutlayerError('SCOPE_MISSING', `token: this call needs the scope ${anyOf.join(' or ')}`);
}
