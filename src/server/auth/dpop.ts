/**
 * Checks DPoP proofs (RFC 9449 sec. 4.3): a request signed with the key that a token is bound to.
 * Each proof is taken once, for a minute.
 */
import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose';
import { CutlayerError } from '../../errors.js';
import { requirePlainHeader } from './token-header.js';

/** Signatures of proofs. */
export const proofAlgorithms = ['EdDSA', 'ES256'] as const;

/** A request as its proof names it. */
export interface ProvenRequest {
  readonly method: string;
  /** Scheme, host and path. */
  readonly url: string;
  /** The token that it was sent with; undefined at the token endpoint. */
  readonly token?: string;
}

const MAX_CHARS = 4096;
/** A proof is good for this time before and after its issue. */
const WINDOW_SECONDS = 60;
const MAX_ID_CHARS = 128;
const MAX_SEEN = 20_000;

const refused = (cause: unknown): CutlayerError =>
  new CutlayerError('PROOF_REFUSED', 'DPoP: the proof is invalid, outdated or used', { cause });

/** Proofs that this process has taken. */
export class DpopProofs {
  readonly #now: () => number;
  readonly #startedAt: number;
  /** By key and id; with the time after which the proof is outdated. */
  readonly #seen = new Map<string, number>();

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
    this.#startedAt = Math.floor(now() / 1000);
  }

  /**
   * Takes a proof.
   * @returns the thumbprint of its key
   * @throws CutlayerError PROOF_REFUSED; QUEUE_FULL when too many were taken within two minutes
   */
  async take(proof: string, request: ProvenRequest): Promise<string> {
    let taken: { readonly key: string; readonly id: string; readonly issuedAt: number };
    try {
      taken = await check(proof, request, this.#now());
      // What was taken before a restart is not known any more.
      if (taken.issuedAt < this.#startedAt) throw new Error('it is older than this process');
    } catch (cause) {
      throw refused(cause);
    }
    const { key, id, issuedAt } = taken;
    const name = `${key} ${id}`;
    this.#forget();
    if (this.#seen.has(name)) throw refused(new Error('it was used before'));
    if (this.#seen.size >= MAX_SEEN) throw new CutlayerError('QUEUE_FULL', 'DPoP: too many proofs within a minute; try again in a moment');
    this.#seen.set(name, (issuedAt + 2 * WINDOW_SECONDS) * 1000);
    return key;
  }

  /** Entries are about in the order of their ends: proofs are taken within a window. */
  #forget(): void {
    const now = this.#now();
    for (const [name, endsAt] of this.#seen) {
      if (endsAt > now) break;
      this.#seen.delete(name);
    }
  }
}

async function check(proof: string, { method, url, token }: ProvenRequest, now: number) {
  if (proof.length > MAX_CHARS) throw new Error(`longer than ${MAX_CHARS} characters`);
  requirePlainHeader(proof, 'jwk');
  const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
    algorithms: [...proofAlgorithms],
    typ: 'dpop+jwt',
    requiredClaims: ['iat', 'jti', 'htm', 'htu'],
    currentDate: new Date(now),
  });
  const { iat = 0, jti, htm, htu, ath } = payload; // jose has checked that iat is a number
  const { jwk } = protectedHeader;
  if (jwk === undefined || 'd' in jwk || 'k' in jwk) throw new Error('its header has no public key');
  if (![jwk.x, jwk.y].every(isCoordinate)) throw new Error('its key has another text than keys have');
  if (Math.abs(now / 1000 - iat) > WINDOW_SECONDS) throw new Error(`it was not issued within ${WINDOW_SECONDS} s`);
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_ID_CHARS) throw new Error('its id is not a short text');
  if (htm !== method) throw new Error('it is for another method');
  if (typeof htu !== 'string' || plainUrl(htu) !== plainUrl(url)) throw new Error('it is for another address');
  const expected = token === undefined ? undefined : createHash('sha256').update(token).digest('base64url');
  if (ath !== expected) throw new Error('it is for another token');
  return { key: await calculateJwkThumbprint(jwk), id: jti, issuedAt: iat };
}

/** Decoders take other texts for the same 32 bytes: one key would have several thumbprints. */
const isCoordinate = (text: string | undefined): boolean =>
  text === undefined || (text.length === 43 && Buffer.from(text, 'base64url').toString('base64url') === text);

/** A URL without query and fragment, normalised (RFC 3986 sec. 6.2). */
function plainUrl(text: string): string {
  const url = new URL(text);
  return `${url.protocol}//${url.host}${url.pathname}`;
}
