/**
 * Rows under a transform that is trained along with the adapter, which holds its values. Here its
 * noise is drawn: the same for the same beginning of a text, as long as the transform is the same.
 */
import { CutlayerError } from '../../../src/errors.js';
import { defenceClaims } from './claims.js';
import { normals } from './noise-draws.js';
import type { NoiseSecret } from './noise-secret.js';
import type { RowStage } from './row-stage.js';

export interface LearnedNoiseOptions {
  /** Weight of what rows say beside the task's loss; see learned-pass.ts. */
  readonly strength: number;
  readonly secret: NoiseSecret;
}

/** The stage. @throws CutlayerError INVALID_ARGUMENT */
export function learnedNoise({ strength, secret }: LearnedNoiseOptions): RowStage {
  if (!(strength > 0 && strength < Infinity))
    throw new CutlayerError('INVALID_ARGUMENT', `learned-noise: expected a strength above 0, got ${strength}`);
  return {
    name: 'learned-noise',
    settings: { strength },
    claim: defenceClaims['learned-noise'],
    place: 'cut',
    perRecord: false,
    trained: { strength },
    apply({ rows, hiddenSize, tokens, record, learned }) {
      if (learned === undefined)
        throw new CutlayerError(
          'INVALID_ARGUMENT',
          'learned-noise: expected an adapter that was trained with it, for it holds the transform; train one, or leave --learned-noise out',
        );
      const noise = new Float64Array(rows.length);
      let at = 0;
      for (const bytes of secret.streams(`learned-noise ${learned.version}`, record, tokens, rows.length / hiddenSize)) {
        noise.set(normals(bytes, hiddenSize), at);
        at += hiddenSize;
      }
      return learned.forward(rows, noise);
    },
  };
}
