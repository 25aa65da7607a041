/** The tokens that may be drawn, as transformers' warpers leave them, in their order. */
import { CutlayerError } from '../../../../src/errors.js';
import type { SamplingSettings } from './settings.js';

/** Tokens by falling probability. */
export interface Candidates {
  readonly ids: Uint32Array;
  /** The probability of each, up to a common factor. */
  readonly weights: Float64Array;
}

/** Bits of a token id in a sorting key; those of a float32 are above them. */
const ID_BITS = 21;

/**
 * All tokens by falling logit, ties by id.
 * @param logits [vocabulary]
 * @throws CutlayerError LIMIT_EXCEEDED (a vocabulary of over two million)
 */
export function rankTokens(logits: Float32Array): Uint32Array {
  if (logits.length > 2 ** ID_BITS)
    throw new CutlayerError('LIMIT_EXCEEDED', `generate: expected at most ${2 ** ID_BITS} tokens, got ${logits.length}`);
  // Numbers sort without a comparator, ten times as fast: a key orders as the logit falls, then by
  // id.
  const bits = new Uint32Array(logits.buffer, logits.byteOffset, logits.length);
  const keys = new Float64Array(logits.length);
  for (let id = 0; id < bits.length; id++) {
    const falling = bits[id]! >>> 31 === 1 ? bits[id]! : ~(bits[id]! | 0x80000000) >>> 0;
    keys[id] = falling * 2 ** ID_BITS + id;
  }
  return Uint32Array.from(keys.sort(), (key) => key % 2 ** ID_BITS);
}

/** The tokens that may be drawn. @param logits [vocabulary] */
export function candidatesOf(logits: Float32Array, settings: SamplingSettings): Candidates {
  const { temperature, topK, topP, minP, typicalP } = settings;
  const ids = rankTokens(logits);
  const largest = logits[ids[0]!]!;
  let candidates: Candidates = { ids, weights: Float64Array.from(ids, (id) => Math.exp((logits[id]! - largest) / temperature)) };
  if (topK > 0) candidates = first(candidates, countOfTopK(candidates, topK));
  if (topP < 1) candidates = first(candidates, countOfTopP(candidates, topP));
  if (minP > 0) candidates = first(candidates, candidates.weights.findLastIndex((weight) => weight >= minP * candidates.weights[0]!) + 1);
  return typicalP < 1 ? typical(candidates, typicalP) : candidates;
}

const first = ({ ids, weights }: Candidates, count: number): Candidates => ({
  ids: ids.subarray(0, count),
  weights: weights.subarray(0, count),
});

function countOfTopK({ weights }: Candidates, topK: number): number {
  let count = Math.min(topK, weights.length);
  while (count < weights.length && weights[count] === weights[topK - 1]) count++;
  return count;
}

function countOfTopP({ weights }: Candidates, topP: number): number {
  const total = sum(weights);
  let count = 0;
  for (let mass = 0; count < weights.length && (count === 0 || mass < topP * total); count++) mass += weights[count]!;
  return count;
}

/** @see arXiv:2202.00666, and transformers' TypicalLogitsWarper, whose ties are kept */
function typical({ ids, weights }: Candidates, typicalP: number): Candidates {
  const total = sum(weights);
  const information = weights.map((weight) => -Math.log(weight / total));
  const expected = weights.reduce((mean, weight, rank) => (weight === 0 ? mean : mean + (weight / total) * information[rank]!), 0);
  const distance = information.map((bits) => Math.abs(bits - expected));
  const nearest = Uint32Array.from(distance.keys()).sort((a, b) => distance[a]! - distance[b]! || a - b);
  let at = 0;
  for (let mass = weights[nearest[0]!]!; at < nearest.length - 1 && mass < typicalP * total; ) mass += weights[nearest[++at]!]!;
  const farthest = distance[nearest[at]!]!;
  const kept = [...ids.keys()].filter((rank) => distance[rank]! <= farthest);
  return { ids: Uint32Array.from(kept, (rank) => ids[rank]!), weights: Float64Array.from(kept, (rank) => weights[rank]!) };
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
