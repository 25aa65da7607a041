/** Chooses the next token from logits, as transformers' logits processors do, in their order. */
import type { GenerationDefaults } from '../../../../src/artifacts/manifest.js';
import { CutlayerError } from '../../../../src/errors.js';
import { type Random, seeded } from '../../../../src/tensor/random.js';
import { adjustLogits, type TokensSoFar } from './adjust.js';
import { type Candidates, candidatesOf } from './candidates.js';
import { type SamplingOptions, samplingSettings } from './settings.js';

/** @param logits [vocabulary]; they are changed */
export type Sampler = (logits: Float32Array, soFar: TokensSoFar) => number;

/** What a sampler has of its model. */
export interface SamplerModel {
  /** From `generation_config.json`. */
  readonly defaults?: GenerationDefaults | undefined;
  /** Ids at which the text ends. */
  readonly stopTokenIds?: ReadonlySet<number>;
}

/**
 * A sampler with its own stream of random numbers.
 * @param continuation its number among those of one prompt: each has a stream of its own
 * @throws CutlayerError INVALID_ARGUMENT
 */
export function createSampler(
  options: SamplingOptions,
  { defaults = {}, stopTokenIds = new Set() }: SamplerModel = {},
  continuation = 0,
): Sampler {
  const settings = samplingSettings(options, defaults);
  const random = seeded(settings.seed, 0x534d, ...(continuation === 0 ? [] : [continuation]));
  return (logits, soFar) => {
    adjustLogits(logits, soFar, settings, stopTokenIds);
    const best = mostProbable(logits);
    return settings.temperature === 0 ? best : drawToken(candidatesOf(logits, settings), random);
  };
}

/** Draws one of the candidates. */
export function drawToken({ ids, weights }: Candidates, random: Random): number {
  let left = random.next() * weights.reduce((total, weight) => total + weight, 0);
  for (let rank = 0; rank < ids.length; rank++) {
    left -= weights[rank]!;
    if (left < 0) return ids[rank]!;
  }
  // Rounding: the last one that can be drawn.
  return ids[weights.findLastIndex((weight) => weight > 0)]!;
}

function mostProbable(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  if (logits[best]! > Number.NEGATIVE_INFINITY) return best;
  throw new CutlayerError(
    'INVALID_ARGUMENT',
    'generate: no token is left to choose; every one is ruled out by bias, n-grams, minTokens or the constraint',
  );
}
