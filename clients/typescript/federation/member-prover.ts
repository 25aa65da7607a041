/** Proves a member's calls with its key, under the newest challenge of the coordinator. */
import { messageDigest, proveCall } from '../../../src/protocol/federation/member-proof.js';
import type { IdentityKey } from '../../../src/protocol/secagg/signature.js';
import type { CallProver, ProvenAttempt } from '../connection/call-prover.js';

/** Calls before there is a challenge, or before the member has read the roster. */
const unproven: readonly string[] = ['GetFederation', 'GetChallenge'];

/** Asks the coordinator for a challenge. */
export type FetchChallenge = (attempt: Pick<ProvenAttempt, 'deadlineMs' | 'signal'>) => Promise<Uint8Array>;

/** See the module's header. */
export class MemberProver implements CallProver {
  readonly #federation: string;
  readonly #identity: IdentityKey;
  readonly #fetch: FetchChallenge;
  #challenge: Uint8Array | undefined;
  #number = 0;

  constructor(federation: string, identity: IdentityKey, fetch: FetchChallenge) {
    this.#federation = federation;
    this.#identity = identity;
    this.#fetch = fetch;
  }

  async prove({ method, message, ...attempt }: ProvenAttempt): Promise<Uint8Array | undefined> {
    if (unproven.includes(method)) return undefined;
    this.#challenge ??= await this.#fetch(attempt);
    this.#number += 1;
    const call = { federation: this.#federation, method, digest: messageDigest(message) };
    return proveCall(call, { challenge: this.#challenge, number: this.#number }, this.#identity.privateKey);
  }

  renew(): void {
    this.#challenge = undefined;
  }
}
