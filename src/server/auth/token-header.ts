/** Headers of JWTs from outside: what RFC 8725 wants refused before any key is looked for. */
import { decodeProtectedHeader } from 'jose';

/**
 * Members that would let the token choose its key, change how it is read, or need an extension.
 * @see RFC 8725 sec. 3.1, 3.8 and 3.10; RFC 7515 sec. 4.1
 */
const refusedMembers = ['crit', 'b64', 'zip', 'enc', 'jku', 'jwk', 'x5u', 'x5c'] as const;

/** Three parts of base64url (RFC 7515 sec. 7.1). */
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** A member of {@link refusedMembers}. */
export type RefusedMember = (typeof refusedMembers)[number];

/**
 * Refuses a JWT whose header has one of these members.
 * @param allowed a member that this kind of JWT needs
 * @throws Error saying which, or that it does not parse
 */
export function requirePlainHeader(token: string, allowed?: RefusedMember): void {
  // Decoders of base64url skip blanks: one token would have several texts.
  if (!COMPACT.test(token)) throw new Error('it is not of the form of a signed JWT');
  const header = decodeProtectedHeader(token);
  const found = refusedMembers.find((member) => member !== allowed && Object.hasOwn(header, member));
  if (found !== undefined) throw new Error(`its header has the member ${found}`);
}
