/** Scopes of tokens. */
import { CutlayerError } from '../../errors.js';

/** The closed list of scopes. */
export const scopes = ['split:train', 'split:infer', 'federation:participate', 'federation:admin'] as const;

/** The scopes of a gateway. */
export const gatewayScopes = ['split:train', 'split:infer'] as const satisfies readonly Scope[];

/** One of {@link scopes}. */
export type Scope = (typeof scopes)[number];

/** The caller, as its verified token says. */
export interface Principal {
  readonly tenant: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The token's id, for the log. */
  readonly tokenId: string;
  /** The end of the token, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Tenants' names: 1 to 64 of [A-Za-z0-9._-], a letter or digit first. Used in keys and labels. */
export const TENANT_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The known scopes of a space-separated list; unknown ones are left out (RFC 6749 sec. 3.3). */
export function knownScopes(list: string): ReadonlySet<Scope> {
  const words = new Set(list.split(' '));
  return new Set(scopes.filter((scope) => words.has(scope)));
}

/**
 * Parses a list of scopes.
 * @param known the scopes allowed here
 * @throws CutlayerError INVALID_ARGUMENT when it is empty or holds an unknown scope
 */
export function parseScopes(list: string, known: readonly Scope[] = scopes): readonly Scope[] {
  const words = list.split(/[\s,]+/).filter((word) => word !== '');
  const unknown = words.find((word) => !(known as readonly string[]).includes(word));
  if (words.length === 0 || unknown !== undefined) {
    throw new CutlayerError('INVALID_ARGUMENT', `scope: expected one or more of ${known.join(', ')}, got ${unknown ?? 'nothing'}`);
  }
  return known.filter((scope) => words.includes(scope));
}

/** @throws CutlayerError SCOPE_MISSING unless the principal has one of the scopes */
export function requireScope(principal: Principal, ...anyOf: readonly Scope[]): void {
  if (anyOf.some((scope) => principal.scopes.has(scope))) return;
  throw new CutlayerError('SCOPE_MISSING', `token: this call needs the scope ${anyOf.join(' or ')}`);
}
