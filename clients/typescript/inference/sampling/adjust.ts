/**
 * Changes logits before tokens are ranked, in place and in the order of transformers' processors.
 * Presence and frequency penalties are those of OpenAI's API: of generated tokens alone.
 */
import type { SamplingSettings } from './settings.js';

/** The tokens so far. */
export interface TokensSoFar {
  /** Prompt and text. */
  readonly ids: readonly number[];
  /** How many of them are the prompt's. */
  readonly promptLength: number;
}

/** @param logits [vocabulary] @param stops ids at which the text would end */
export function adjustLogits(
  logits: Float32Array,
  { ids, promptLength }: TokensSoFar,
  settings: SamplingSettings,
  stops: Iterable<number>,
): void {
  const { logitBias, repetitionPenalty, presencePenalty, frequencyPenalty, noRepeatNgramSize, minTokens } = settings;
  for (const [id, bias] of logitBias) if (id < logits.length) logits[id]! += bias;
  if (repetitionPenalty !== 1) penalizeRepetition(logits, ids, repetitionPenalty);
  if (presencePenalty !== 0 || frequencyPenalty !== 0) {
    for (let at = promptLength; at < ids.length; at++) logits[ids[at]!]! -= frequencyPenalty;
    for (const id of new Set(ids.slice(promptLength))) logits[id]! -= presencePenalty;
  }
  if (noRepeatNgramSize > 0) banRepeatedNgrams(logits, ids, noRepeatNgramSize);
  if (ids.length - promptLength < minTokens) for (const id of stops) ban(logits, id);
}

function penalizeRepetition(logits: Float32Array, ids: readonly number[], penalty: number): void {
  for (const id of new Set(ids)) logits[id] = logits[id]! < 0 ? logits[id]! * penalty : logits[id]! / penalty;
}

function banRepeatedNgrams(logits: Float32Array, ids: readonly number[], size: number): void {
  const last = ids.length - size + 1;
  for (let start = 0; start < last; start++) {
    let same = true;
    for (let at = 0; at < size - 1 && same; at++) same = ids[start + at] === ids[last + at];
    if (same) ban(logits, ids[start + size - 1]!);
  }
}

function ban(logits: Float32Array, id: number): void {
  if (id < logits.length) logits[id] = Number.NEGATIVE_INFINITY;
}
