/**
 * Binds a member's calls to its key on the roster. A challenge is bound to a federation, a member,
 * a token and this process. Nothing is kept of it until a call is proven under it. A proof counts
 * once, so that a call cannot be made again from what was seen of it.
 */
import { createHmac, timingSafeEqual, webcrypto } from 'node:crypto';
import { CutlayerError } from '../../errors.js';
import { cryptoRandom } from '../../privacy/random.js';
import { isCallProven, type MemberProof, readProof } from '../../protocol/federation/member-proof.js';
import { transcript } from '../../protocol/secagg/transcript.js';
import type { Principal } from '../../server/auth/scopes.js';
import type { Call } from '../../server/rpc/calls.js';
import { UsedNumbers } from './used-numbers.js';

/** After this time a member asks for another challenge. */
const LIFETIME_MS = 600_000;
/** Challenges that one member uses at a time; a new one ends the oldest. */
const MOST_OF_A_MEMBER = 8;

const TIME_BYTES = 8;

/** A call with its message as it crossed. */
export interface ReceivedCall extends Pick<Call, 'method' | 'principal' | 'proof'> {
  readonly message: Uint8Array;
}

/** What a member has used. */
interface Used {
  /** Challenges in use, by the time of their issue. */
  readonly numbers: Map<number, UsedNumbers>;
  /** Challenges issued up to here count only while they are in use. */
  endedUpTo: number;
}

/** See the module's header. */
export class MemberProofs {
  readonly #key = cryptoRandom(32);
  readonly #now: () => number;
  readonly #used = new Map<string, Used>();
  #newest = 0;

  /** @param now milliseconds that never go back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** A fresh challenge for a member with its token. */
  challenge(federation: string, principal: Principal): Uint8Array {
    this.#newest = Math.max(Math.floor(this.#now()), this.#newest + 1);
    return this.#challengeAt(this.#newest, federation, principal);
  }

  /**
   * Accepts a call that the holder of `publicKey` has proven, once.
   * @throws CutlayerError PROOF_REFUSED: another challenge is needed; NOT_A_MEMBER: another key
   */
  async accept(federation: string, { method, principal, proof: header, message }: ReceivedCall, publicKey: Uint8Array): Promise<void> {
    const proof = readProof(header ?? new Uint8Array(0));
    if (proof === undefined) throw refused(header === undefined ? 'got none' : 'got other bytes');
    const issued = this.#issued(proof, federation, principal);
    const digest = new Uint8Array(await webcrypto.subtle.digest('SHA-256', message as Uint8Array<ArrayBuffer>)); // in the thread pool; a Buffer's memory is no SharedArrayBuffer
    if (!isCallProven({ federation, method, digest }, proof, publicKey))
      throw new CutlayerError(
        'NOT_A_MEMBER',
        `federation ${federation}: a call of ${principal.tenant} has to be signed with the key that its roster has for ${principal.tenant}; pass the token and the identity of one member`,
      );
    if (!this.#numbersOf(`${federation}/${principal.tenant}`, issued)?.use(proof.number)) throw refused('got one that was used before');
  }

  /** When the proof's challenge was issued to this member. @throws CutlayerError PROOF_REFUSED */
  #issued({ challenge }: MemberProof, federation: string, principal: Principal): number {
    const issued = Number(Buffer.from(challenge).readBigUInt64LE(0));
    const genuine = Number.isSafeInteger(issued) && timingSafeEqual(challenge, this.#challengeAt(issued, federation, principal));
    if (!genuine) throw refused('got one under a challenge of another process, federation, member or token');
    if (this.#now() - issued > LIFETIME_MS) throw refused('its challenge has expired');
    return issued;
  }

  /** Undefined where newer challenges of the member have ended this one. */
  #numbersOf(member: string, issued: number): UsedNumbers | undefined {
    const used = this.#used.get(member) ?? { numbers: new Map(), endedUpTo: 0 };
    this.#used.set(member, used);
    const { numbers } = used;
    const known = numbers.get(issued);
    if (known !== undefined || issued <= used.endedUpTo) return known;
    const fresh = new UsedNumbers();
    numbers.set(issued, fresh);
    if (numbers.size > MOST_OF_A_MEMBER) {
      const oldest = Math.min(...numbers.keys());
      numbers.delete(oldest);
      used.endedUpTo = oldest;
    }
    return fresh;
  }

  #challengeAt(issued: number, federation: string, { tenant, tokenId }: Principal): Uint8Array {
    const time = Buffer.alloc(TIME_BYTES);
    time.writeBigUInt64LE(BigInt(issued));
    const bound = transcript('cutlayer member challenge v1', federation, tenant, tokenId, issued);
    return Buffer.concat([time, createHmac('sha256', this.#key).update(bound).digest()]);
  }
}

function refused(why: string): CutlayerError {
  return new CutlayerError(
    'PROOF_REFUSED',
    `call: expected a member's proof under a challenge of this coordinator, ${why}; ask for a challenge (GetChallenge), and sign again`,
  );
}
