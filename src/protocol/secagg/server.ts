/**
 * The coordinator's side of secure aggregation. It routes sealed shares, keeps ONE running sum of
 * masked vectors and passes signatures on. It takes the masks off the sum with the shares that the
 * participants reveal. It decides nothing that a participant does not check for itself. See
 * `client.ts` for the protocol.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CutlayerError } from '../../errors.js';
import { type Cohort, refused } from './cohort.js';
import { agree, agreementKey, pairMaskSeed, selfMaskCommitment, selfMaskSeed } from './key-schedule.js';
import { applyMask } from './mask.js';
import type { RevealedShares, SealedShares } from './messages.js';
import { rawPublicKey } from './raw-keys.js';
import { Reconstruction } from './reconstruction.js';
import { requireRing } from './ring.js';
import { SEALED_BYTES } from './sealing.js';
import { sameBytes } from './transcript.js';
import { divide, sameNames } from './verification.js';

/** A stage that some may not answer. */
export type AnsweredStage = 'sharing' | 'submitting' | 'confirming' | 'unmasking';

/** Checks one pair of shares for each neighbour. @throws CutlayerError SECAGG_REFUSED */
export function verifySealed(cohort: Cohort, from: string, sealed: readonly SealedShares[]): void {
  const neighbours = cohort.neighboursOf(from);
  const stranger = sealed.find((shares) => shares.from !== from);
  if (stranger !== undefined) throw refused(`shares of ${stranger.from}, sent by ${from}`);
  if (!sameNames(sealed.map(({ to }) => to).sort(), neighbours))
    throw refused(`shares of ${from}: expected one pair for each of its ${neighbours.length} neighbours, got ${sealed.length}`);
  const odd = sealed.find(({ ciphertext }) => ciphertext.length !== SEALED_BYTES);
  if (odd !== undefined) throw refused(`shares of ${from} for ${odd.to}: expected ${SEALED_BYTES} bytes, got ${odd.ciphertext.length}`);
}

/**
 * What a participant is to be given when the stage of sharing has ended. Keep the list of sharers:
 * a participant refuses a second, different inbox.
 * @param sharers whose shares have come
 * @param sealed all sealed shares, in any order
 */
export function inboxOf(cohort: Cohort, to: string, sharers: readonly string[], sealed: Iterable<SealedShares>): SealedShares[] {
  const [senders] = divide(cohort.neighboursOf(to), sharers);
  const wanted = new Set(senders);
  return [...sealed].filter((shares) => shares.to === to && wanted.has(shares.from));
}

/**
 * Checks that enough participants have answered a stage: the threshold of the cohort, and of each
 * secret that has to be opened enough holders. Those secrets are the survivors' self-masks, and the
 * mask keys of lost sharers with a surviving neighbour.
 * @param present those that answered this stage
 * @param sharers those that answered the stage of sharing
 * @param survivors whose masked vectors are in the sum
 * @throws CutlayerError SECAGG_FAILED
 */
export function requireStage(
  cohort: Cohort,
  stage: AnsweredStage,
  present: readonly string[],
  sharers: readonly string[] = present,
  survivors: readonly string[] = present,
): void {
  if (present.length < cohort.threshold)
    throw failed(`${stage}: ${present.length} of ${cohort.names.length} answered, the threshold is ${cohort.threshold}`);
  if ((stage === 'sharing' || stage === 'submitting') && present.length < cohort.fewestSurvivors)
    throw failed(`${stage}: ${present.length} of ${cohort.names.length} answered, at least ${cohort.fewestSurvivors} have to be in a sum`);
  const [alive, gone] = divide(sharers, survivors);
  const wanted = gone.filter((owner) => divide(cohort.neighboursOf(owner), survivors)[0].length > 0);
  for (const owner of [...alive, ...wanted]) {
    const [holders] = divide(cohort.holdersOf(owner), present);
    if (holders.length < cohort.holderThreshold)
      throw failed(`${stage}: ${holders.length} holders of ${owner}'s secrets answered, ${cohort.holderThreshold} are needed`);
  }
}

/** What the masks are taken off with. */
export interface UnmaskInput {
  readonly cohort: Cohort;
  /** Whose sealed shares were passed on before the masks were made. */
  readonly sharers: readonly string[];
  /** Whose masked vectors are in the sum. */
  readonly survivors: readonly string[];
  /** Each checked by `verifyRevealed`. */
  readonly revealed: readonly RevealedShares[];
  readonly signal?: AbortSignal;
}

/** The plain sum, and the holders of wrong shares that others made up for. */
export interface Unmasked {
  readonly sum: Uint32Array;
  readonly liars: readonly string[];
}

/**
 * Takes the masks off a sum: every survivor's self-mask, and the masks of pairs of which one
 * survived. Each secret that is reconstructed is checked against what its owner advertised, so
 * wrong shares never give a wrong sum. Lets other work in between masks.
 * @param sum of the survivors' masked vectors, mod 2^bits: [length]; left as it is
 * @throws CutlayerError SECAGG_FAILED when too few shares came or they do not open a secret;
 *   CANCELLED
 */
export async function unmaskSum(sum: Uint32Array, input: UnmaskInput): Promise<Unmasked> {
  const { cohort, sharers, survivors, revealed, signal } = input;
  const { length, bits } = cohort.round;
  requireRing('masked sum', sum, length, bits);
  if (survivors.length < cohort.threshold) throw failed(`${survivors.length} survivors, the threshold is ${cohort.threshold}`);
  if (survivors.length < cohort.fewestSurvivors)
    throw failed(`${survivors.length} survivors, at least ${cohort.fewestSurvivors} have to be in a sum`);
  if (revealed.length < cohort.threshold) throw failed(`${revealed.length} revealed their shares, the threshold is ${cohort.threshold}`);
  const reconstruction = new Reconstruction(cohort, revealed);
  const [alive, gone] = divide(sharers, survivors);
  if (alive.length !== survivors.length) throw failed('a survivor is not among those who shared their keys');
  const plain = Uint32Array.from(sum);
  const takeOff = async (seed: Uint8Array, sign: 'add' | 'subtract'): Promise<void> => {
    if (signal?.aborted === true) throw new CutlayerError('CANCELLED', 'unmasking was cancelled');
    applyMask(plain, seed, bits, sign);
    await nextTurn();
  };
  for (const owner of alive) {
    const { selfMaskCommitment: committed } = cohort.advertisementOf(owner);
    const secret = reconstruction.open(owner, 'selfMaskShares', (candidate) =>
      sameBytes(selfMaskCommitment(cohort.round, owner, candidate), committed),
    );
    await takeOff(selfMaskSeed(cohort, secret, owner), 'subtract');
  }
  for (const owner of gone) {
    const [partners] = divide(cohort.neighboursOf(owner), survivors);
    if (partners.length === 0) continue;
    const { maskKey } = cohort.advertisementOf(owner);
    const secret = reconstruction.open(owner, 'maskKeyShares', (candidate) => sameBytes(rawPublicKey('X25519', candidate), maskKey));
    const privateKey = agreementKey(secret);
    for (const partner of partners) {
      const shared = agree(privateKey, cohort.advertisementOf(partner).maskKey);
      if (shared === undefined) throw failed(`the mask key of ${partner} is of low order`);
      // The partner added this mask when its name comes first.
      await takeOff(pairMaskSeed(cohort, shared, owner, partner), partner < owner ? 'subtract' : 'add');
    }
  }
  return { sum: plain, liars: reconstruction.liars };
}

function failed(reason: string): CutlayerError {
  return new CutlayerError('SECAGG_FAILED', `secure aggregation failed: ${reason}; begin another round`);
}
