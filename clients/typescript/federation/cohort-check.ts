/** What a member checks of a cohort before it shares anything, beyond secure aggregation's own. */
import { CutlayerError } from '../../../src/errors.js';
import { type Enlistment, hasTerms } from '../../../src/protocol/federation/enlistment.js';
import { maxCohortOf } from '../../../src/protocol/federation/round-mechanism.js';
import { isAdvertisementSigned } from '../../../src/protocol/secagg/messages.js';
import type { Verify } from '../../../src/protocol/secagg/signature.js';
import { sameBytes } from '../../../src/protocol/secagg/transcript.js';
import type { Pin } from './pin.js';

/** What this member knows of the round. */
export interface OwnView {
  readonly pin: Pin;
  readonly round: number;
  /** As this member has sent it. */
  readonly enlistment: Enlistment;
  readonly check?: Verify | undefined;
  /** Whether a chain head is of a broadcast that this member has. */
  readonly knows: (chainHead: string) => boolean;
}

/**
 * Each member is on the roster, has signed these terms for this round and has seen the same chain.
 * @throws CutlayerError ROUND_REFUSED, CHAIN_FORKED
 */
export function requireCohort(cohort: readonly Enlistment[], { pin, round, enlistment, check, knows }: OwnView): void {
  const { open, member, floors } = pin;
  const refuse = (why: string): CutlayerError => new CutlayerError('ROUND_REFUSED', `round ${round}: ${why}; this member sits it out`);
  const roster = new Map(open.manifest.members.map(({ name, publicKey }) => [name, Buffer.from(publicKey, 'hex')]));
  const names = new Set<string>();
  for (const other of cohort) {
    const { participant } = other.advertisement;
    const key = roster.get(participant);
    if (key === undefined) throw refuse(`${participant} is in the cohort, and not on the roster`);
    if (names.has(participant)) throw refuse(`${participant} is in the cohort twice`);
    names.add(participant);
    if (!isAdvertisementSigned({ federation: open.id, round }, other.advertisement, key, check))
      throw refuse(`the enlistment of ${participant} is not signed by it for this round`);
    if (!hasTerms(other)) throw refuse(`${participant} has signed other terms than the coordinator shows`);
    if (other.purpose !== enlistment.purpose)
      throw refuse(`${participant} has enlisted to ${other.purpose}, this member to ${enlistment.purpose}`);
    if (other.chainHead !== enlistment.chainHead) throw forked(round, participant, knows(other.chainHead));
  }
  const own = cohort.find(({ advertisement }) => advertisement.participant === member);
  if (own === undefined) throw refuse('the coordinator asks for an answer to a cohort without this member');
  if (!sameBytes(own.advertisement.signature, enlistment.advertisement.signature))
    throw refuse("this member's own enlistment was exchanged");
  if (cohort.length < floors.minCohort) throw refuse(`the cohort has ${cohort.length} members, this member's floor is ${floors.minCohort}`);
  if (cohort.length > maxCohortOf(open.manifest))
    throw refuse(`the cohort has ${cohort.length} members, the manifest allows ${maxCohortOf(open.manifest)}`);
}

function forked(round: number, participant: string, behind: boolean): CutlayerError {
  const what = behind
    ? `${participant} has enlisted with older broadcasts than this member; the next round will tell whether it was only late`
    : `${participant} has signed broadcasts that this member has never seen: the coordinator may have told the two of you different things, such as different models. ` +
      'Compare the chain head that cutlayer client versions shows at both over another channel, and do not go on when they differ';
  return new CutlayerError('CHAIN_FORKED', `round ${round}: ${what}; this member sits the round out`, { details: { participant, behind } });
}
