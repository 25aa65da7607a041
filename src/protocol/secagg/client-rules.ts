/**
 * What a participant insists on in what the coordinator tells it, beyond each message's own form.
 * Every function refuses or returns.
 */
import type { Member } from './client-state.js';
import { type Cohort, refused } from './cohort.js';
import type { Advertisement, Confirmation, SealedShares } from './messages.js';
import type { Pins, SecAggRound } from './settings.js';
import type { Verify } from './signature.js';
import { sameBytes } from './transcript.js';
import { divide, verifyAdvertisement, verifyConfirmation } from './verification.js';

/**
 * Every advertisement is by a member of the roster, signed with the key that the roster has for it.
 * @throws CutlayerError SECAGG_REFUSED
 */
export function requireMembers(round: SecAggRound, cohort: Cohort, roster: ReadonlyMap<string, Uint8Array>, check?: Verify): Member[] {
  return cohort.names.map((name) => {
    const identityKey = roster.get(name);
    if (identityKey === undefined) throw refused(`cohort: ${name} is not on the roster`);
    const advertisement = cohort.advertisementOf(name);
    verifyAdvertisement(round, advertisement, identityKey, check);
    return { ...advertisement, identityKey };
  });
}

/**
 * The participant's own advertisement is in the cohort as it was sent. A signature is
 * deterministic, so the same fields have the same one.
 * @throws CutlayerError SECAGG_REFUSED
 */
export function requireOwn(cohort: Cohort, own: Advertisement): void {
  if (!cohort.has(own.participant)) throw refused('cohort: this participant is missing from it');
  const listed = cohort.advertisementOf(own.participant);
  const fields = ['encryptionKey', 'maskKey', 'selfMaskCommitment', 'context', 'signature'] as const;
  for (const field of fields)
    if (!sameBytes(own[field], listed[field])) throw refused(`cohort: this participant's own ${field} was altered`);
}

/** Cohort and thresholds reach the participant's floors. @throws CutlayerError SECAGG_REFUSED */
export function requireFloors(cohort: Cohort, { minCohort, minThreshold, minSurvivors }: Pins): void {
  if (cohort.names.length < minCohort) throw refused(`cohort: ${cohort.names.length} participants, this one's floor is ${minCohort}`);
  const opening = Math.min(cohort.threshold, cohort.holderThreshold);
  if (opening < minThreshold) throw refused(`threshold: ${opening} could open a secret, this participant's floor is ${minThreshold}`);
  if (cohort.names.length < minSurvivors)
    throw refused(`cohort: ${cohort.names.length} participants, this one's floor is ${minSurvivors} survivors`);
}

/**
 * The list of survivors is sorted, within the cohort, and long enough. It contains the participant
 * and no neighbour without a shared mask.
 *
 * @param floor the participant's own
 * @param sharers the participant and those whose shares have come to it
 * @throws CutlayerError SECAGG_REFUSED
 */
export function requireSurvivors(
  cohort: Cohort,
  { participant, floor }: { readonly participant: string; readonly floor: number },
  sharers: readonly string[],
  survivors: readonly string[],
): void {
  for (const [i, name] of survivors.entries()) {
    if (!cohort.has(name)) throw refused(`survivors: ${name} is not in the cohort`);
    if (i > 0 && survivors[i - 1]! >= name)
      throw refused(`survivors: expected sorted names without repetition, ${name} comes after ${survivors[i - 1]}`);
  }
  if (!survivors.includes(participant)) throw refused('survivors: this participant is missing from the list');
  requireEnough(cohort, floor, survivors);
  const [near] = divide(cohort.holdersOf(participant), survivors);
  const [, unknown] = divide(near, sharers);
  if (unknown.length > 0) throw refused(`survivors: no shares have come from ${unknown[0]}`);
  if (near.length < cohort.holderThreshold)
    throw refused(`survivors: ${near.length} in this participant's neighbourhood, ${cohort.holderThreshold} are needed`);
}

/**
 * Enough members are in the sum: the threshold, the round's floor, and the participant's own.
 *
 * @throws CutlayerError SECAGG_REFUSED
 */
export function requireEnough(cohort: Cohort, floor: number, survivors: readonly string[]): void {
  if (survivors.length < cohort.threshold) throw refused(`survivors: ${survivors.length}, the threshold is ${cohort.threshold}`);
  if (survivors.length < cohort.fewestSurvivors)
    throw refused(`survivors: ${survivors.length}, at least ${cohort.fewestSurvivors} have to be in a sum`);
  if (survivors.length < floor) throw refused(`survivors: ${survivors.length}, this participant's floor is ${floor}`);
}

/** Enough survivors have signed this very list. @throws CutlayerError SECAGG_REFUSED */
export function requireConfirmed(
  cohort: Cohort,
  members: readonly Member[],
  survivors: readonly string[],
  confirmations: readonly Confirmation[],
  check?: Verify,
): void {
  const identityKeys = new Map(members.map(({ participant, identityKey }) => [participant, identityKey]));
  const seen = new Set<string>();
  for (const confirmation of confirmations) {
    const { participant } = confirmation;
    const identityKey = identityKeys.get(participant);
    if (identityKey === undefined) throw refused(`confirmation by ${participant}, who is not in the cohort`);
    if (seen.has(participant)) throw refused(`confirmations: ${participant} comes twice`);
    seen.add(participant);
    verifyConfirmation(cohort, survivors, confirmation, identityKey, check);
  }
  if (seen.size < cohort.threshold) throw refused(`confirmations: ${seen.size}, the threshold is ${cohort.threshold}`);
}

/** Whether two inboxes, sorted by sender, are the same to the byte. */
export function sameInbox(a: readonly SealedShares[], b: readonly SealedShares[]): boolean {
  const same = (one: SealedShares, other: SealedShares) =>
    one.from === other.from && one.to === other.to && sameBytes(one.ciphertext, other.ciphertext);
  return a.length === b.length && a.every((sealed, i) => same(sealed, b[i]!));
}
