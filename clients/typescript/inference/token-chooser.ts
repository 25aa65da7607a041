/** Chooses the next token from logits, as transformers' logits processors do, in their order. */
import type { GenerationDefaults } from '../../../src/artifacts/manifest.js';
import { CutlayerError } from '../../../src/errors.js';
import { type Random, seeded } from '../../../src/tensor/random.js';

/** How tokens are chosen. What is not given comes from the bundle, then from the default. */
export interface ChoiceOptions {
  /** 0, the default, always takes the most probable token. */
  readonly temperature?: number | undefined;
  /** Draw from this many most probable tokens, and those that tie with the last. Default: all. */
  readonly topK?: number | undefined;
  /** Draw from the smallest set of tokens with this much probability. Default 1: all. */
  readonly topP?: number | undefined;
  /** Divides the logits of tokens of prompt and text (multiplies those below 0). Default 1. */
  readonly repetitionPenalty?: number | undefined;
  /** No run of this many tokens comes twice. Default 0: any may. */
  readonly noRepeatNgramSize?: number | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
}

/** @param ids prompt and text so far; `logits` [vocabulary] are changed */
export type TokenChooser = (logits: Float32Array, ids: readonly number[]) => number;

/**
 * A chooser with its own stream of random numbers.
 * @param defaults of the bundle, from `generation_config.json`
 * @throws CutlayerError INVALID_ARGUMENT
 */
export function tokenChooser(options: ChoiceOptions, defaults: GenerationDefaults = {}): TokenChooser {
  const { temperature = 0, seed = 0 } = options;
  const topK = options.topK ?? defaults.topK ?? 0;
  const topP = options.topP ?? defaults.topP ?? 1;
  const penalty = options.repetitionPenalty ?? defaults.repetitionPenalty ?? 1;
  const ngram = options.noRepeatNgramSize ?? defaults.noRepeatNgramSize ?? 0;
  if (!(temperature >= 0) || !(topP > 0 && topP <= 1)) {
    throw new CutlayerError('INVALID_ARGUMENT', `generate: expected temperature >= 0 and 0 < topP <= 1, got ${temperature} and ${topP}`);
  }
  if (!(penalty > 0) || ![topK, ngram].every((count) => Number.isInteger(count) && count >= 0)) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `generate: expected repetitionPenalty > 0, and topK and noRepeatNgramSize of 0 or more; got ${penalty}, ${topK} and ${ngram}`,
    );
  }
  const random = seeded(seed, 0x534d);
  return (logits, ids) => {
    if (penalty !== 1) penalizeRepetition(logits, ids, penalty);
    if (ngram > 0) banRepeatedNgrams(logits, ids, ngram);
    if (temperature === 0) return argmax(logits);
    return drawToken(logits, { temperature, topK, topP }, random);
  };
}

function penalizeRepetition(logits: Float32Array, ids: readonly number[], penalty: number): void {
  for (const id of new Set(ids)) logits[id] = logits[id]! < 0 ? logits[id]! * penalty : logits[id]! / penalty;
}

function banRepeatedNgrams(logits: Float32Array, ids: readonly number[], size: number): void {
  const last = ids.length - size + 1;
  for (let start = 0; start < last; start++) {
    let same = true;
    for (let at = 0; at < size - 1 && same; at++) same = ids[start + at] === ids[last + at];
    if (same) logits[ids[start + size - 1]!] = Number.NEGATIVE_INFINITY;
  }
}

/** Draws from the `topK` most probable tokens, of these from the fewest that hold `topP`. */
export function drawToken(
  logits: Float32Array,
  { temperature, topK, topP }: { readonly temperature: number; readonly topK: number; readonly topP: number },
  random: Random,
): number {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
  const order = Uint32Array.from(weights.keys()).sort((a, b) => weights[b]! - weights[a]! || a - b);
  let among = order.length;
  if (topK > 0 && topK < among) {
    const least = weights[order[topK - 1]!]!;
    for (among = topK; among < order.length && weights[order[among]!]! === least; ) among++;
  }
  let total = 0;
  for (let rank = 0; rank < among; rank++) total += weights[order[rank]!]!;
  let kept = 0;
  let mass = 0;
  while (kept < among && (kept === 0 || mass < topP * total)) mass += weights[order[kept++]!]!;
  let draw = random.next() * mass;
  for (let rank = 0; rank < kept; rank++) {
    draw -= weights[order[rank]!]!;
    if (draw < 0) return order[rank]!;
  }
  return order[kept - 1]!;
}

function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
