/** The enlistments of the round under way: checked, read from the store, formed into a cohort. */

import { CutlayerError } from '../../errors.js';
import { type Enlistment, hasTerms } from '../../protocol/federation/enlistment.js';
import { enlistmentCodec } from '../../protocol/federation/message-codec.js';
import { secAggRoundOf } from '../../protocol/federation/round-mechanism.js';
import { Cohort } from '../../protocol/secagg/cohort.js';
import { isAdvertisementSigned } from '../../protocol/secagg/messages.js';
import { requireStage } from '../../protocol/secagg/server.js';
import { verifyAdvertisement } from '../../protocol/secagg/verification.js';
import type { Transaction } from '../tables/database.js';
import type { FederationContext } from './federation-context.js';
import type { RoundState } from './round-state.js';

type Surroundings = Pick<FederationContext, 'id' | 'manifest'>;

/** Most examples that a member can state. */
const MOST_EXAMPLES = 2 ** 32 - 1;

/** The members of a round and the number of examples that each stated. */
export interface RoundCohort {
  readonly round: number;
  /** Sorted by member. */
  readonly enlistments: readonly Enlistment[];
  /** Secure aggregation's; null without, and while members still enlist. */
  readonly secure: Cohort | null;
}

/**
 * Reads the round's cohort.
 * @throws CutlayerError SECAGG_REFUSED or INVALID_CONFIG when none can be formed
 */
export async function loadCohort(transaction: Transaction, context: Surroundings, round: RoundState): Promise<RoundCohort> {
  const rows = await transaction.messages.list(context.id, round.round, 'enlisting');
  const enlistments = rows.map(({ bytes }) => enlistmentCodec.decode(bytes!)); // enlistments are kept with their bytes
  const formed = round.stage !== 'enlisting' && context.manifest.settings.secureAggregation !== null;
  const secure = formed
    ? Cohort.form(
        secAggRoundOf(context, round.round, round.purpose),
        enlistments.map(({ advertisement }) => advertisement),
      )
    : null;
  return { round: round.round, enlistments, secure };
}

/**
 * Checks an enlistment against the roster, the round and what others have sent.
 * @param chainHead Hash of the newest broadcast.
 * @throws CutlayerError INVALID_ARGUMENT, SECAGG_REFUSED
 */
export function checkEnlistment(
  context: Surroundings,
  round: RoundState,
  member: string,
  enlistment: Enlistment,
  chainHead: string,
  others: readonly Enlistment[],
): void {
  const { advertisement, purpose, examples } = enlistment;
  const { settings, members } = context.manifest;
  const reject = (wanted: string): CutlayerError => new CutlayerError('INVALID_ARGUMENT', `enlistment of ${member}: ${wanted}`);
  if (advertisement.participant !== member) throw reject(`expected its own name, got ${advertisement.participant}`);
  if (purpose !== round.purpose) throw reject(`expected the purpose ${round.purpose}, got ${purpose}`);
  if (enlistment.chainHead !== chainHead)
    throw reject('expected the hash of the newest broadcast, got another; fetch the broadcasts first, and ask for a task again');
  const weighted = purpose === 'train' && settings.weights.kind === 'examples';
  if (!(Number.isInteger(examples) && examples >= 1 && examples <= (weighted ? MOST_EXAMPLES : 1)))
    throw reject(
      `examples: expected ${weighted ? `a whole number from 1 to ${MOST_EXAMPLES}` : '1, since updates count alike'}, got ${examples}`,
    );
  if (!hasTerms(enlistment)) throw reject('its signature is for other terms');
  const publicKey = Buffer.from(members.find(({ name }) => name === member)!.publicKey, 'hex'); // the caller is on the roster
  if (settings.secureAggregation === null) {
    if (!isAdvertisementSigned({ federation: context.id, round: round.round }, advertisement, publicKey))
      throw reject('its signature is not of the member that the manifest names');
    return;
  }
  verifyAdvertisement(secAggRoundOf(context, round.round, round.purpose), advertisement, publicKey);
  const keys = (each: Enlistment) =>
    [each.advertisement.encryptionKey, each.advertisement.maskKey].map((key) => Buffer.from(key).toString('hex'));
  const taken = new Set(others.flatMap(keys));
  const [encryption, mask] = keys(enlistment);
  if (encryption === mask || keys(enlistment).some((key) => taken.has(key)))
    throw reject('expected keys of its own, got one that is in the round already');
}

/** Why secure aggregation cannot enter the stage that the round is now in; null when it can. */
export async function stageFailure(transaction: Transaction, context: Surroundings, round: RoundState): Promise<string | null> {
  if (context.manifest.settings.secureAggregation === null || round.stage === 'enlisting') return null;
  const { sharers, submitted, confirmed, unmasked } = round;
  try {
    const { secure } = await loadCohort(transaction, context, round);
    if (secure === null) return null;
    const ended: { readonly [Stage in RoundState['stage']]: () => void } = {
      enlisting: () => {},
      sharing: () => {},
      submitting: () => requireStage(secure, 'sharing', sharers),
      confirming: () => requireStage(secure, 'submitting', submitted, sharers, submitted),
      unmasking: () => requireStage(secure, 'confirming', confirmed, sharers, submitted),
      releasing: () => requireStage(secure, 'unmasking', unmasked, sharers, submitted),
    };
    ended[round.stage]();
    return null;
  } catch (caught) {
    const { code, message } = CutlayerError.from(caught);
    if (code === 'SECAGG_FAILED' || code === 'SECAGG_REFUSED' || code === 'INVALID_CONFIG') return message;
    throw caught;
  }
}
