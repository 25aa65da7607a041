/** The bounds on the length of text rows that a model's embedding gives by itself. */
import type { EmbeddingNorms } from '../../artifacts/manifest.js';
import type { OwnPolicy } from './bounds.js';

/** Of the least row: training of tokens' rows may make some shorter. */
const LEAST_SHARE = 1 / 4;
/** Of the greatest row: training of tokens' rows makes them longer. */
const GREATEST_FACTOR = 16;

/**
 * @param norms of the backbone's manifest; undefined where the client holds blocks below the cut,
 *   or in an older pack: then nothing is bounded
 */
export function embeddingRange(norms: EmbeddingNorms | undefined): OwnPolicy {
  if (norms === undefined) return {};
  const { least, greatest } = norms;
  return {
    // A token whose row is zero may be sent.
    ...(least > 0 && { minRowNorm: rounded(least * LEAST_SHARE) }),
    ...(greatest > 0 && { maxRowNorm: rounded(greatest * GREATEST_FACTOR) }),
  };
}

const rounded = (norm: number): number => Number(norm.toPrecision(4));
