/**
 * Inverse frequencies of rotary position embedding under each scaling. Every step rounds to float32
 * where torch does.
 * @see transformers `modeling_rope_utils.py`; arXiv:2306.15595 (linear), 2309.00071 (yarn),
 *   2402.13753 (longrope)
 */
import type { RopeSpec } from './spec.js';

const { fround } = Math;

/** The powers of the base, 2i / dim for each of the dim / 2 frequencies. */
export function frequencyExponents(dim: number): Float32Array {
  return Float32Array.from({ length: dim / 2 }, (_, i) => (2 * i) / dim);
}

/** 1 / (`scale[i]` * the base's power i). */
function inversePowers(theta: number, dim: number, scale?: readonly number[]): Float32Array {
  return frequencyExponents(dim).map((exponent, i) => fround(1 / fround(fround(scale?.[i] ?? 1) * fround(theta ** exponent))));
}

/** Frequencies of short sequences; for most scalings, of all. */
export function inverseFrequencies(rope: RopeSpec, dim: number): Float32Array {
  const { theta } = rope;
  switch (rope.scaling) {
    case 'none':
    case 'dynamic':
      return inversePowers(theta, dim);
    case 'linear':
      return inversePowers(theta, dim).map((frequency) => frequency / rope.factor);
    case 'longrope':
      return inversePowers(theta, dim, rope.shortFactor);
    case 'llama3':
      return inversePowers(theta, dim).map((frequency) => llama3Frequency(rope, frequency));
    case 'yarn':
      return yarnFrequencies(rope, dim);
  }
}

/** Frequencies of a batch longer than `originalMaxPositions`. */
export function longFrequencies(rope: Extract<RopeSpec, { scaling: 'longrope' }>, dim: number): Float32Array {
  return inversePowers(rope.theta, dim, rope.longFactor);
}

/** Factor on cosine and sine. */
export function attentionFactor(rope: RopeSpec): number {
  return rope.scaling === 'yarn' || rope.scaling === 'longrope' ? rope.attentionFactor : 1;
}

/** High frequencies stay, low ones are divided by the factor, those between are interpolated. */
function llama3Frequency(rope: Extract<RopeSpec, { scaling: 'llama3' }>, frequency: number): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = rope;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalMaxPositions / highFreqFactor) return frequency;
  if (wavelength > originalMaxPositions / lowFreqFactor) return frequency / factor;
  const smooth = (originalMaxPositions / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** Fast frequencies stay, slow ones are divided by the factor; a ramp lies between. */
function yarnFrequencies(rope: Extract<RopeSpec, { scaling: 'yarn' }>, dim: number): Float32Array {
  const { theta, factor, originalMaxPositions, betaFast, betaSlow, truncate } = rope;
  const turning = (rotations: number): number => (dim * Math.log(originalMaxPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const low = Math.max(truncate ? Math.floor(turning(betaFast)) : turning(betaFast), 0);
  const end = Math.min(truncate ? Math.ceil(turning(betaSlow)) : turning(betaSlow), dim - 1);
  const high = end === low ? end + 0.001 : end; // a ramp of no length is a step
  return frequencyExponents(dim).map((exponent, i) => {
    const power = fround(theta ** exponent);
    const ramp = Math.min(Math.max(fround(fround(i - low) / fround(high - low)), 0), 1);
    const kept = fround(1 - ramp);
    return fround(fround(1 / fround(factor * power)) * fround(1 - kept)) + fround(fround(1 / power) * kept);
  });
}
