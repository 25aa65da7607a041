/**
 * Noise on each row that enters the backbone, of the form of metric privacy. Its direction is
 * uniform and its length has the Gamma law: so its density falls with e^(-rate |noise|).
 * @see Feyisetan et al., arXiv:1910.08902, sec. 3 (the sampler)
 */
import { CutlayerError } from '../../../src/errors.js';
import { defenceClaims } from './claims.js';
import { normalsOf, uniforms, uniformsOfNormals } from './noise-draws.js';
import type { NoiseSecret, RowBytes } from './noise-secret.js';
import type { RowStage } from './row-stage.js';

/** @param deviation Of the rows without noise: the unit of `scale`. */
export interface RowNoiseOptions {
  /** The noise's root mean square in each coordinate, over `deviation`. */
  readonly scale: number;
  readonly deviation: number;
  readonly secret: NoiseSecret;
}

/** The stage. @throws CutlayerError INVALID_ARGUMENT */
export function rowNoise({ scale, deviation, secret }: RowNoiseOptions): RowStage {
  if (!(scale > 0 && Number.isFinite(scale * deviation)))
    throw new CutlayerError('INVALID_ARGUMENT', `row-noise: expected a scale above 0, got ${scale}`);
  return {
    name: 'row-noise',
    settings: { scale },
    claim: defenceClaims['row-noise'],
    place: 'cut',
    perRecord: false,
    apply({ rows, hiddenSize, tokens, record }) {
      let at = 0;
      for (const bytes of secret.streams('row-noise', record, tokens, rows.length / hiddenSize)) {
        addRowNoise(rows.subarray(at, at + hiddenSize), scale * deviation, bytes);
        at += hiddenSize;
      }
      return undefined;
    },
  };
}

/** Adds noise whose squared length is `width * deviation²` on average. */
function addRowNoise(row: Float32Array, deviation: number, bytes: RowBytes): void {
  const width = row.length;
  const uniform = uniforms(bytes, width + uniformsOfNormals(width));
  // A Gaussian's direction is uniform.
  const direction = normalsOf(uniform, width);
  let squares = 0;
  for (const value of direction) squares += value * value;
  // Gamma of whole shape `width`: a sum of exponentials; its mean square is width (width + 1).
  let length = 0;
  for (let i = 0; i < width; i++) length -= Math.log(uniform[uniform.length - 1 - i]!);
  const factor = (deviation * length) / Math.sqrt((width + 1) * squares);
  for (let i = 0; i < width; i++) row[i] = row[i]! + factor * direction[i]!;
}
