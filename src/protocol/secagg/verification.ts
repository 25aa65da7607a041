/** Checks of single messages that participants and coordinator have in common. */
import { type Cohort, refused, requireKeys } from './cohort.js';
import {
  type Advertisement,
  type Confirmation,
  confirmationTranscript,
  isAdvertisementSigned,
  type RevealedShares,
  revealedTranscript,
} from './messages.js';
import { ringMask } from './ring.js';
import type { SecAggRound } from './settings.js';
import { type Verify, verify } from './signature.js';

/**
 * Checks an advertisement's fields and that `identityKey` signed it for this federation and round.
 * @throws CutlayerError SECAGG_REFUSED
 */
export function verifyAdvertisement(
  round: SecAggRound,
  advertisement: Advertisement,
  identityKey: Uint8Array,
  check: Verify = verify,
): void {
  requireKeys(advertisement);
  if (!isAdvertisementSigned(round, advertisement, identityKey, check))
    throw refused(`advertisement of ${advertisement.participant}: not signed by its identity for this federation and round`);
}

/**
 * Checks that a survivor confirms exactly this list. A coordinator may pass confirmations on with
 * empty lists, to save bytes: the signature is checked against the receiver's own list.
 * @param survivors sorted
 * @throws CutlayerError SECAGG_REFUSED
 */
export function verifyConfirmation(
  cohort: Cohort,
  survivors: readonly string[],
  confirmation: Confirmation,
  identityKey: Uint8Array,
  check: Verify = verify,
): void {
  const { participant, signature } = confirmation;
  if (!survivors.includes(participant)) throw refused(`confirmation by ${participant}, who is not among the survivors`);
  if (confirmation.survivors.length > 0 && !sameNames(confirmation.survivors, survivors))
    throw refused(`${participant} confirmed another list of survivors`);
  if (!check(identityKey, confirmationTranscript(cohort.round, cohort.digest, participant, survivors), signature))
    throw refused(`confirmation of ${participant}: not signed by its identity for this cohort and list`);
}

/**
 * Checks that a survivor reveals one share of every owner whose shares it holds. For a survivor it
 * is the self-mask's share, for any other owner the mask key's.
 * @param sharers whose sealed shares had come when masks were made
 * @param survivors sorted
 * @throws CutlayerError SECAGG_REFUSED
 */
export function verifyRevealed(
  cohort: Cohort,
  sharers: readonly string[],
  survivors: readonly string[],
  revealed: RevealedShares,
  identityKey: Uint8Array,
): void {
  const { participant, maskKeyShares, selfMaskShares, signature } = revealed;
  if (!survivors.includes(participant)) throw refused(`shares from ${participant}, who is not among the survivors`);
  if (!verify(identityKey, revealedTranscript(cohort.round, cohort.digest, revealed), signature))
    throw refused(`shares from ${participant}: not signed by its identity for this cohort`);
  const owners = ownersHeldBy(cohort, participant, sharers);
  const [alive, gone] = divide(owners, survivors);
  const names = (shares: typeof maskKeyShares) => shares.map(({ owner }) => owner);
  if (!sameNames(names(selfMaskShares), alive) || !sameNames(names(maskKeyShares), gone))
    throw refused(
      `shares from ${participant}: expected those of ${alive.length} survivors and ${gone.length} others, in the order of their names`,
    );
  for (const { owner, share } of [...maskKeyShares, ...selfMaskShares])
    if (share.length !== 32) throw refused(`${participant}'s share of ${owner}: expected 32 bytes, got ${share.length}`);
}

/**
 * Checks a masked vector before it goes into the sum.
 * @throws CutlayerError SECAGG_REFUSED for a wrong length or an element outside the ring
 */
export function verifyMasked(round: SecAggRound, participant: string, masked: Uint32Array): void {
  if (masked.length !== round.length)
    throw refused(`masked vector of ${participant}: expected ${round.length} elements, got ${masked.length}`);
  const largest = ringMask(round.bits);
  for (const value of masked)
    if (value > largest) throw refused(`masked vector of ${participant}: expected elements below 2^${round.bits}, got ${value}`);
}

/** The sharers whose shares `holder` has: neighbours and itself, sorted. */
export function ownersHeldBy(cohort: Cohort, holder: string, sharers: readonly string[]): string[] {
  const shared = new Set(sharers);
  return cohort.holdersOf(holder).filter((owner) => shared.has(owner));
}

/** Splits names into those on the list and the others. */
export function divide(names: readonly string[], list: readonly string[]): [string[], string[]] {
  const listed = new Set(list);
  return [names.filter((name) => listed.has(name)), names.filter((name) => !listed.has(name))];
}

/** Whether two lists of names are the same, order included. */
export function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}
