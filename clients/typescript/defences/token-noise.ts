/**
 * The Gaussian mechanism on each token's embedding. A row is clipped, put on a grid of whole
 * numbers, and gets a discrete Gaussian. A grid has no low bits that give the row away.
 * @see Canonne, Kamath and Steinke, arXiv:2004.00010; Mironov, CCS 2012 (low bits)
 */
import { CutlayerError } from '../../../src/errors.js';
import { clipByNorm } from '../../../src/privacy/clip.js';
import { discreteGaussians, MAX_SCALE } from '../../../src/privacy/discrete-gaussian.js';
import { defenceClaims } from './claims.js';
import type { NoiseSecret } from './noise-secret.js';
import type { PullBack, RowStage } from './row-stage.js';

export interface TokenNoiseOptions {
  /** Most L2 norm of an embedding. */
  readonly clipNorm: number;
  /** The noise's deviation in each coordinate, over `clipNorm`. */
  readonly noiseMultiplier: number;
  /** What `clipNorm` is recorded as, where it was given in another unit. */
  readonly clip?: number | undefined;
  readonly secret: NoiseSecret;
}

/** Grid steps of a clip norm: finer than float32. */
const GRID = 2 ** 24;
/** Below 1 by more than rounding adds. */
const SLACK = 1 - 2 ** -40;

/** The stage. @throws CutlayerError INVALID_ARGUMENT */
export function tokenNoise({ clipNorm, noiseMultiplier, clip = clipNorm, secret }: TokenNoiseOptions): RowStage {
  const sigma = Math.min(MAX_SCALE, Math.floor(noiseMultiplier * GRID));
  if (!(sigma >= 1)) throw new CutlayerError('INVALID_ARGUMENT', `token-noise: expected a number above 0, got ${noiseMultiplier}`);
  const scale = (SLACK * sigma) / (noiseMultiplier * clipNorm);
  return {
    name: 'token-noise',
    settings: { noise: noiseMultiplier, clip },
    claim: defenceClaims['token-noise'],
    place: 'embedding',
    perRecord: true,
    apply({ rows, hiddenSize, tokens, record }) {
      const count = rows.length / hiddenSize;
      const backs: PullBack[] = [];
      const part = (values: Float32Array, row: number) => values.subarray(row * hiddenSize, (row + 1) * hiddenSize);
      let at = 0;
      for (const bytes of secret.streams('token-noise', record, tokens, count)) {
        const row = part(rows, at++);
        const before = row.slice();
        backs.push(clipPullBack(before, clipByNorm([row], clipNorm), clipNorm));
        const noise = discreteGaussians(hiddenSize, sigma, bytes);
        // Towards zero, which cannot lengthen a row.
        for (let i = 0; i < hiddenSize; i++) row[i] = (Math.trunc(row[i]! * scale) + noise[i]!) / scale;
      }
      return (cotangent) => {
        for (const [row, back] of backs.entries()) back(part(cotangent, row));
      };
    },
  };
}

/** Of y = x · min(1, C/|x|): x̄ = ȳ within, else (C/|x|) (ȳ − x (x·ȳ)/|x|²). */
function clipPullBack(x: Float32Array, norm: number, clipNorm: number): PullBack {
  if (norm <= clipNorm) return () => undefined;
  return (cotangent) => {
    let along = 0;
    for (let i = 0; i < x.length; i++) along += x[i]! * cotangent[i]!;
    along /= norm * norm;
    for (let i = 0; i < x.length; i++) cotangent[i] = (clipNorm / norm) * (cotangent[i]! - along * x[i]!);
  };
}
