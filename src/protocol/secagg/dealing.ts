/**
 * Stage 2 at a participant: splits its two secrets, seals a pair of shares for each neighbour, and
 * opens what neighbours have sealed.
 */

import type { Agreements } from './agreements.js';
import { type Cohort, refused } from './cohort.js';
import { polynomialSeed, sealingContext, sealingKey } from './key-schedule.js';
import type { SealedShares } from './messages.js';
import { open, seal } from './sealing.js';
import { drawPolynomials, shareAt } from './shamir.js';
import { seededBytes } from './stream.js';

/**
 * What a participant draws when a round begins; 32 bytes each. Everything that it ever answers in
 * the round follows from these and from what it is sent.
 */
export interface RoundSecrets {
  /** X25519 private key for the encryption of shares. */
  readonly encryptionKey: Uint8Array;
  /** X25519 private key for pair masks; shared among the neighbours. */
  readonly maskKey: Uint8Array;
  /** Secret of the self-mask; shared among the neighbours. */
  readonly selfMask: Uint8Array;
  /** Seed of the polynomials. */
  readonly polynomials: Uint8Array;
}

/** A holder's two shares of one owner's secrets; never are both revealed. */
export interface HeldShares {
  readonly maskKey: Uint8Array;
  readonly selfMask: Uint8Array;
}

const SHARE_BYTES = 32;

/** Deals the shares of `owner`'s secrets to its holders: the same at every call. */
function dealer(cohort: Cohort, owner: string, secrets: RoundSecrets): (holder: string) => HeldShares {
  const random = seededBytes(polynomialSeed(cohort, secrets.polynomials, owner));
  const holders = cohort.holdersOf(owner);
  const places = new Map(holders.map((holder, i) => [holder, i + 1]));
  const maskKey = drawPolynomials(secrets.maskKey, cohort.holderThreshold, holders.length, random);
  const selfMask = drawPolynomials(secrets.selfMask, cohort.holderThreshold, holders.length, random);
  return (holder) => {
    const x = places.get(holder)!;
    return { maskKey: shareAt(maskKey, x), selfMask: shareAt(selfMask, x) };
  };
}

/**
 * Seals each neighbour's shares for it alone.
 * @param agreements of the owner's encryption key
 * @throws CutlayerError SECAGG_REFUSED for a neighbour's key of low order
 */
export function sealDealt(cohort: Cohort, owner: string, secrets: RoundSecrets, agreements: Agreements): SealedShares[] {
  const deal = dealer(cohort, owner, secrets);
  return cohort.neighboursOf(owner).map((to) => {
    const { maskKey, selfMask } = deal(to);
    const key = sealingKey(cohort, agreements.with(to, cohort.advertisementOf(to).encryptionKey), owner, to);
    const ciphertext = seal(key, Buffer.concat([maskKey, selfMask]), sealingContext(cohort, owner, to));
    return { from: owner, to, ciphertext };
  });
}

/**
 * Opens an inbox, and adds the holder's share of its own secrets.
 * @param inbox of `holder`, each from another neighbour; checked here
 * @param agreements of the holder's encryption key
 * @returns shares by owner: the senders and the holder itself
 * @throws CutlayerError SECAGG_REFUSED for shares from a stranger, from one sender twice, for
 *   another receiver, or that do not open
 */
export function openInbox(
  cohort: Cohort,
  holder: string,
  secrets: RoundSecrets,
  inbox: readonly SealedShares[],
  agreements: Agreements,
): ReadonlyMap<string, HeldShares> {
  const neighbours = new Set(cohort.neighboursOf(holder));
  const held = new Map<string, HeldShares>([[holder, dealer(cohort, holder, secrets)(holder)]]);
  for (const { from, to, ciphertext } of inbox) {
    if (!neighbours.has(from)) throw refused(`inbox: shares from ${from}, who is no neighbour`);
    if (to !== holder) throw refused(`inbox: shares from ${from} for ${to}`);
    if (held.has(from)) throw refused(`inbox: shares from ${from} come twice`);
    const key = sealingKey(cohort, agreements.with(from, cohort.advertisementOf(from).encryptionKey), from, holder);
    const plaintext = open(key, ciphertext, sealingContext(cohort, from, holder));
    if (plaintext?.length !== 2 * SHARE_BYTES) throw refused(`inbox: the shares from ${from} do not open`);
    held.set(from, { maskKey: plaintext.subarray(0, SHARE_BYTES), selfMask: plaintext.subarray(SHARE_BYTES) });
  }
  return held;
}
