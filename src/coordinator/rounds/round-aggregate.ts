/**
 * The result of a round: the mean of the payloads, then a new version or metrics. It does not
 * depend on the order of arrival or on restarts. Only the noise of a coordinator without secure
 * aggregation is drawn anew.
 */

import { CutlayerError } from '../../errors.js';
import { nextClipNorm } from '../../privacy/adaptive-clip.js';
import { CentralSum } from '../../privacy/central.js';
import { decodeDistributed } from '../../privacy/distributed.js';
import type { MeasuredVersion, VersionMetrics } from '../../protocol/federation/chain.js';
import { revealedCodec } from '../../protocol/federation/message-codec.js';
import {
  evaluatedVersions,
  evaluationMetrics,
  evaluationSlices,
  metricIndex,
  payloadLength,
  weightFactor,
} from '../../protocol/federation/payload.js';
import { privateDivisor, requirePossibleFixed, requirePossibleNoisy } from '../../protocol/federation/possible-sums.js';
import { isBetter } from '../../protocol/federation/promotion.js';
import { roundArithmetic } from '../../protocol/federation/round-mechanism.js';
import type { MemberUpdate } from '../../protocol/federation/strategies/member-update.js';
import type { ServerState } from '../../protocol/federation/strategies/server-optimizers.js';
import { needsUpdates } from '../../protocol/federation/strategies/settings.js';
import { MeanSum } from '../../protocol/federation/strategies/weighted-mean.js';
import { fromRing, scaleOf } from '../../protocol/secagg/fixed-point.js';
import { unmaskSum } from '../../protocol/secagg/server.js';
import { aggregate } from '../aggregate/aggregate.js';
import { applyDelta } from '../aggregate/apply-delta.js';
import type { Transaction } from '../tables/database.js';
import type { FederationContext } from './federation-context.js';
import { float32Payload, uint32Payload } from './payload-bytes.js';
import { loadCohort } from './round-cohort.js';
import type { RoundState } from './round-state.js';

/** The mean of the payloads, or the updates that a robust strategy needs. */
export interface Gathered {
  readonly input: { readonly mean: Float64Array } | { readonly updates: readonly MemberUpdate[] };
  /** Divisor of the sum. */
  readonly weight: number;
  /** Of an evaluate round by majority: members whose own metrics are for the candidate. */
  readonly votes?: number | undefined;
  /** Noisy share of members with an update within the clip norm. */
  readonly withinFraction?: number | undefined;
}

/** A new version, not yet broadcast. */
export interface NewVersion {
  readonly parameters: Float32Array;
  readonly serverState: ServerState;
  readonly weight: number;
  /** Of the next train round. */
  readonly clipNorm: number | null;
}

/** Sums a round's payloads. @throws CutlayerError SECAGG_FAILED, NON_FINITE, CANCELLED */
export async function gatherRound(context: FederationContext, round: RoundState, signal: AbortSignal): Promise<Gathered> {
  const { manifest, database } = context;
  return manifest.settings.secureAggregation === null
    ? database.transaction((transaction) => gatherPlain(transaction, context, round))
    : gatherSecure(context, round, signal);
}

/**
 * Makes the version after the trained one.
 * @throws CutlayerError NON_FINITE, INVALID_ARGUMENT
 */
export async function makeVersion(context: FederationContext, round: RoundState, gathered: Gathered): Promise<NewVersion> {
  const { id, manifest, database } = context;
  const { parameters, before } = await database.transaction(async ({ versions, serverState }) => {
    const parent = await versions.read(id, round.version);
    if (parent?.parameters == null)
      throw new CutlayerError('STORE_CORRUPT', `version ${round.version}: its parameters are gone; restore a backup`);
    return { parameters: new Float32Array(parent.parameters.slice().buffer), before: await serverState.read(id, round.version) };
  });
  const { delta, state } = aggregate(manifest.settings.strategy, before, gathered.input);
  const clip = manifest.settings.privacy?.clip;
  const moves = clip?.kind === 'adaptive' && round.clipNorm !== null && gathered.withinFraction !== undefined;
  const clipNorm = moves ? nextClipNorm(clip, round.clipNorm, gathered.withinFraction) : round.clipNorm;
  return { parameters: applyDelta(parameters, delta), serverState: state, weight: gathered.weight, clipNorm };
}

/** The metrics that an evaluate round measured, of promoted version and candidate. */
export function measuredVersions(
  { manifest }: Pick<FederationContext, 'manifest'>,
  { input }: Gathered,
): Record<(typeof evaluatedVersions)[number], MeasuredVersion> {
  if (!('mean' in input)) throw new CutlayerError('INTERNAL', 'evaluate round: expected the mean of its metrics');
  // Rounding to fixed point may have brought a mean over 1 by less than one integer.
  const means = manifest.settings.privacy === null ? input.mean.map((value) => Math.min(1, value)) : input.mean;
  return measuredOf({ manifest }, means);
}

/** Metrics by version and slice. @param values as in a payload */
function measuredOf(
  { manifest }: Pick<FederationContext, 'manifest'>,
  values: Float64Array | Float32Array,
): Record<(typeof evaluatedVersions)[number], MeasuredVersion> {
  const lossCap = manifest.settings.evaluation?.lossCap ?? 1;
  const [promoted, candidate] = evaluatedVersions.map((version) => {
    const [current, earlier] = evaluationSlices.map((slice) => {
      const [loss, accuracy, exactMatch] = evaluationMetrics.map((metric) => values[metricIndex(version, slice, metric)]!);
      return { loss: loss! * lossCap, accuracy: accuracy!, exactMatch: exactMatch! } satisfies VersionMetrics;
    });
    return { current: current!, earlier: earlier! };
  });
  return { promoted: promoted!, candidate: candidate! };
}

async function gatherSecure(context: FederationContext, round: RoundState, signal: AbortSignal): Promise<Gathered> {
  const { id, manifest, database, log } = context;
  const { sharers, submitted: survivors } = round;
  const { cohort, sum, revealed, enlistments } = await database.transaction(async (transaction) => {
    const { secure, enlistments } = await loadCohort(transaction, context, round);
    const masked = await transaction.accumulators.read(id, round.round, MASKED_SUM);
    const rows = await transaction.messages.list(id, round.round, 'unmasking');
    if (secure === null || masked === undefined || masked.members.join() !== survivors.join())
      throw new CutlayerError('STORE_CORRUPT', `round ${round.round}: its sum is not that of its survivors; restore a backup`);
    const ring = uint32Payload(masked.bytes, payloadLength(manifest, round.purpose));
    return { cohort: secure, sum: ring, revealed: rows.map(({ bytes }) => revealedCodec.decode(bytes!)), enlistments };
  });
  const unmasked = await unmaskSum(sum, { cohort, sharers, survivors, revealed, signal });
  if (unmasked.liars.length > 0) log.warn({ federation: id, round: round.round, members: unmasked.liars }, 'wrong shares were left out');
  const arithmetic = roundArithmetic(manifest, round.purpose, { cohort: round.enlisted.length, clipNorm: round.clipNorm });
  const integers = fromRing(unmasked.sum, cohort.round.bits);
  if (arithmetic.kind === 'distributed') {
    requirePossibleNoisy(integers, { plan: arithmetic.plan, members: survivors.length });
    const { sum: noisy, withinFraction } = decodeDistributed(arithmetic.plan, integers, survivors.length);
    return divided(noisy, privateDivisor(manifest, survivors.length), withinFraction);
  }
  if (arithmetic.kind !== 'fixed') throw new CutlayerError('INTERNAL', `round ${round.round}: expected ring arithmetic`);
  const scale = scaleOf(arithmetic.fixedPoint);
  const present = new Set(survivors);
  const weight = enlistments.reduce(
    (total, terms) => (present.has(terms.advertisement.participant) ? total + weightFactor(manifest, terms) : total),
    0,
  );
  const evaluate = round.purpose === 'evaluate';
  requirePossibleFixed(integers, { fixedPoint: arithmetic.fixedPoint, members: survivors.length, weight, evaluate });
  return divided(
    Float64Array.from(integers, (value) => value / scale),
    weight,
  );
}

async function gatherPlain(transaction: Transaction, context: FederationContext, round: RoundState): Promise<Gathered> {
  const { id, manifest, random } = context;
  const { purpose } = round;
  const length = payloadLength(manifest, purpose);
  const arithmetic = roundArithmetic(manifest, purpose, { cohort: round.enlisted.length, clipNorm: round.clipNorm });
  if (arithmetic.kind !== 'plain') throw new CutlayerError('INTERNAL', `round ${round.round}: expected plain arithmetic`);
  const examples = new Map(round.enlisted.map((member) => [member.name, member.examples]));
  const read = async (member: string): Promise<MemberUpdate> => {
    const row = await transaction.messages.read({ federation: id, round: round.round, stage: 'submitting', member });
    const update = float32Payload(row!.bytes!, length, purpose); // a submitted update is kept until the round ends
    return { member, update, weight: weightFactor(manifest, { purpose, examples: examples.get(member)! }) };
  };
  // Names are sorted: the result does not depend on the order of arrival.
  if (arithmetic.noise !== null) {
    const { dimension, countDeviation } = arithmetic.noise;
    const sum = new CentralSum(arithmetic.noise);
    for (const member of round.submitted) {
      const { update } = await read(member);
      sum.add(update.subarray(0, dimension), countDeviation === undefined ? undefined : update[dimension]);
    }
    const divisor = privateDivisor(manifest, round.submitted.length);
    const { sum: noisy, withinFraction } = sum.release(random, divisor);
    return divided(noisy, divisor, withinFraction);
  }
  if (purpose === 'train' && needsUpdates(manifest.settings.strategy)) {
    const updates: MemberUpdate[] = [];
    for (const member of round.submitted) updates.push(await read(member));
    return { input: { updates }, weight: updates.length };
  }
  const sum = new MeanSum(length);
  const rule = purpose === 'evaluate' ? manifest.settings.evaluation : null;
  let votes = 0;
  for (const member of round.submitted) {
    const one = await read(member);
    sum.add(one);
    if (rule !== null && isBetter(rule, measuredOf(context, one.update))) votes += 1;
  }
  return { input: { mean: sum.mean() }, weight: sum.weight, ...(rule?.rule === 'majority' ? { votes } : {}) };
}

/** Name of the running sum of masked vectors. */
export const MASKED_SUM = 'masked';

function divided(sum: Float64Array, weight: number, withinFraction?: number): Gathered {
  return { input: { mean: sum.map((value) => value / weight) }, weight, withinFraction };
}
