/**
 * Binds tokens to their senders by the claim `cnf` (RFC 7800): to a client certificate (RFC 8705
 * sec. 3) or to a key that signs each request (DPoP, RFC 9449 sec. 6).
 */

/** The claim `cnf` of a token. */
export interface Confirmation {
  /** SHA-256 of the client certificate, base64url. */
  readonly 'x5t#S256'?: string;
  /** Thumbprint of the key (RFC 7638), SHA-256, base64url. */
  readonly jkt?: string;
}

/** What a request has shown beside its token. */
export interface Sender {
  /** SHA-256 of the connection's client certificate, which a trusted authority has signed. */
  readonly certificate?: string | undefined;
  /** Thumbprint of the key of the request's DPoP proof, which was checked. */
  readonly key?: string | undefined;
  /** Whether a token that is bound to nothing is refused. */
  readonly mustBind?: boolean;
}

const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

/**
 * Refuses a token that another sender could have sent. Fails closed: each member of `cnf` must be
 * known, and must be what the request has shown.
 * @param cnf the claim as it came
 * @throws Error that says which does not fit
 */
export function requireSender(cnf: unknown, { certificate, key, mustBind = false }: Sender): void {
  if (cnf === undefined) {
    if (mustBind) throw new Error('it is bound to no client certificate');
    if (key !== undefined) throw new Error('it came with a proof of a key, and it is bound to none');
    return;
  }
  if (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf)) throw new Error('its claim cnf is not an object');
  const members = Object.entries(cnf);
  if (members.length === 0) throw new Error('its claim cnf is empty');
  const shown: Readonly<Record<string, string | undefined>> = { 'x5t#S256': certificate, jkt: key };
  for (const [name, value] of members) {
    if (!Object.hasOwn(shown, name)) throw new Error('it is bound in a way that this server does not know');
    if (typeof value !== 'string' || !THUMBPRINT.test(value)) throw new Error(`its claim cnf has no thumbprint as ${name}`);
    if (value !== shown[name]) throw new Error(`it is bound to another sender (${name})`);
  }
  if (key !== undefined && !Object.hasOwn(cnf, 'jkt')) throw new Error('it came with a proof of a key, and it is bound to none');
}
