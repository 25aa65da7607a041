/** The numbers of a round: an update or metrics, clipped, weighted, rounded, with noise. */
import { CutlayerError } from '../../../src/errors.js';
import { clipBit } from '../../../src/privacy/adaptive-clip.js';
import { clipByNorm } from '../../../src/privacy/clip.js';
import { encodeDistributed } from '../../../src/privacy/distributed.js';
import type { RandomBytes } from '../../../src/privacy/random.js';
import type { Manifest } from '../../../src/protocol/federation/manifest.js';
import { hasClipBit, weightFactor } from '../../../src/protocol/federation/payload.js';
import { type RoundArithmetic, type RoundShape, roundArithmetic } from '../../../src/protocol/federation/round-mechanism.js';
import { scaleOf, stochasticRound, toRing } from '../../../src/protocol/secagg/fixed-point.js';
import { ringMask } from '../../../src/protocol/secagg/ring.js';
import { allFinite } from '../../../src/tensor/finite.js';

/** What is sent: the ring's elements, still to be masked, or float32 as it is. */
export type RoundPayload =
  | { readonly kind: 'ring'; readonly ring: Uint32Array }
  | { readonly kind: 'plain'; readonly values: Float32Array };

/** Whose payload it is, and how it counts. */
export interface PayloadContext extends RoundShape {
  /** Examples that the member has stated. */
  readonly examples: number;
  readonly random: RandomBytes;
}

type Rules = Pick<Manifest, 'settings' | 'parameters' | 'members'>;

/** @param update after − before, [updateLength]; not changed @throws CutlayerError NON_FINITE */
export function trainPayload(manifest: Rules, update: Float32Array, context: PayloadContext): RoundPayload {
  if (!allFinite(update)) throw new CutlayerError('NON_FINITE', 'the local update holds infinite values; nothing of it is sent');
  const { clipNorm, random } = context;
  const arithmetic = roundArithmetic(manifest, 'train', context);
  const clipped = update.slice();
  const norm = clipNorm === null ? undefined : clipByNorm([clipped], clipNorm);
  const bit = hasClipBit(manifest) && norm !== undefined && clipNorm !== null ? clipBit(norm, clipNorm) : undefined;
  if (arithmetic.kind === 'distributed')
    return inRing(encodeDistributed(arithmetic.plan, update, bit, random), arithmetic.plan.mechanism.bits);
  const values = bit === undefined ? clipped : Float32Array.from([...clipped, bit]);
  // Where the coordinator sees single updates it weighs them itself, by the same signed counts.
  if (arithmetic.kind === 'plain') return { kind: 'plain', values };
  const factor = weightFactor(manifest, { purpose: 'train', examples: context.examples });
  return fixed(arithmetic, values, factor, random);
}

/** @param metrics [EVALUATION_LENGTH], each in [0, 1] */
export function metricsPayload(manifest: Rules, metrics: Float64Array, context: PayloadContext): RoundPayload {
  const arithmetic = roundArithmetic(manifest, 'evaluate', context);
  const values = Float32Array.from(metrics);
  if (arithmetic.kind === 'plain') return { kind: 'plain', values };
  if (arithmetic.kind === 'fixed') return fixed(arithmetic, values, 1, context.random);
  return inRing(encodeDistributed(arithmetic.plan, values, undefined, context.random), arithmetic.plan.mechanism.bits);
}

/** A vector beyond the bound is scaled down as a whole, so that it keeps its direction. */
function fixed(
  { fixedPoint }: Extract<RoundArithmetic, { kind: 'fixed' }>,
  values: Float32Array,
  factor: number,
  random: RandomBytes,
): RoundPayload {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const { bits, bound } = fixedPoint;
  const scaled = Float64Array.from(values, (value) => (largest > bound ? (value / largest) * bound : value) * factor);
  return { kind: 'ring', ring: toRing(stochasticRound(scaled, scaleOf(fixedPoint), random), bits) };
}

/** Noise may leave the ring's centred range; the remainder is what is summed. */
function inRing(integers: Int32Array, bits: number): RoundPayload {
  const mask = ringMask(bits);
  return { kind: 'ring', ring: Uint32Array.from(integers, (integer) => (integer & mask) >>> 0) };
}
