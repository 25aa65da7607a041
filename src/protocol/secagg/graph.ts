/**
 * The graph of participants that share secrets and masks. Up to `completeUpTo` it is complete
 * (Bonawitz et al. 2017). Above, it is the k-regular graph of SecAgg+ (Bell et al. 2020, sec. 3).
 * The hash of all signed advertisements orders the cohort on a circle; each is joined to the k/2
 * next on both sides. Every participant computes its own neighbours, so the coordinator cannot
 * choose them.
 *
 * Of n in the cohort, at most C = γn collude with the coordinator and at most D = δn drop out. The
 * degree k is the smallest, and t the largest number of shares that open a secret, that satisfy
 * three bounds. Each bound fails somewhere in the cohort with a probability of at most 2^-sigma
 * (union bounds over n):
 * - secrecy: of a participant's k neighbours, drawn from n − 1 with C colluders, at most t −
 *   `HIDING` collude: `Σ_{x > t − HIDING} Hyp(n − 1, C, k; x) · n`;
 * - recovery: of its k neighbours at least t stay, when D drop out:
 *   `Σ_{x < t} Hyp(n − 1, n − 1 − D, k; x) · n`;
 * - connection: the honest that stay remain one component, that is, no k/2 in a row collude or drop
 *   out: `n · Π_{i < k/2} (C + D − i) / (n − i)`.
 *
 * The last bound assumes that drop-outs do not depend on the graph. A coordinator that chooses the
 * drop-outs by the graph can split the sum into sums of components. Every participant requires t of
 * its neighbourhood among the survivors, so each such sum has at least `HIDING` honest
 * members. A colluder that tries many keys before it advertises draws the graph as often: each
 * doubling of its tries takes a bit from sigma. Where no k below n − 1 satisfies the bounds, the
 * graph is complete.
 */
import { CutlayerError } from '../../errors.js';
import { type RandomBytes, UniformIntegers } from '../../privacy/random.js';
import { hypergeometricRange } from './hypergeometric.js';
import { MAX_HOLDERS } from './shamir.js';

/** What the neighbour graph of a large cohort is built for. */
export interface GraphSettings {
  /** Cohorts up to this size use the complete graph. */
  readonly completeUpTo: number;
  /** The largest part of the cohort that may collude with the coordinator: [0, 1). */
  readonly colluding: number;
  /** The largest part of the cohort that may drop out: [0, 1). */
  readonly dropout: number;
  /** Each guarantee fails with a probability of at most 2^-sigma. */
  readonly sigma: number;
}

/** The fewest honest participants in a sum, for every choice of drop-outs. */
export const HIDING = 3;

/** The degree of the graph and how many shares open a secret. */
export interface GraphShape {
  /** Neighbours of each: even, or n − 1 for the complete graph. */
  readonly degree: number;
  /** Shares, of the owner's and its neighbours', that reconstruct a secret. */
  readonly holderThreshold: number;
}

/**
 * The graph for a cohort of `n`.
 * @param threshold how many of the cohort have to stay; that of the complete graph
 * @throws CutlayerError INVALID_CONFIG when the settings need more neighbours than a secret can
 *   have holders
 */
export function graphShape(n: number, threshold: number, settings: GraphSettings): GraphShape {
  if (n > settings.completeUpTo) {
    for (let degree = 2; degree < n - 1 && degree < MAX_HOLDERS; degree += 2) {
      const holderThreshold = sparseThreshold(n, degree, settings);
      if (holderThreshold !== undefined) return { degree, holderThreshold };
    }
  }
  if (n <= MAX_HOLDERS) return { degree: n - 1, holderThreshold: threshold };
  const { colluding, dropout, sigma } = settings;
  throw new CutlayerError(
    'INVALID_CONFIG',
    `secure aggregation: a cohort of ${n} with ${colluding} colluding and ${dropout} dropping out at 2^-${sigma} needs more than ${MAX_HOLDERS - 1} neighbours: lower one of them, or the cohort's maximum`,
  );
}

/**
 * Each place's neighbours in a cohort of `n`, in the order of their places.
 * @param random the stream that all participants share, seeded by the hash of the advertisements;
 *   little-endian words of it are the draws
 */
export function drawNeighbours(n: number, degree: number, random: RandomBytes): readonly (readonly number[])[] {
  if (degree >= n - 1) return Array.from({ length: n }, (_, place) => range(n).filter((other) => other !== place));
  const circle = shuffled(n, random);
  const neighbours: number[][] = Array.from({ length: n }, () => []);
  for (const [at, place] of circle.entries())
    for (let step = 1; step <= degree / 2; step++)
      for (const other of [circle[(at + step) % n]!, circle[(at - step + n) % n]!]) neighbours[place]!.push(other);
  return neighbours.map((places) => places.sort((a, b) => a - b));
}

/** The largest number of shares for which all three bounds hold at this degree. */
function sparseThreshold(n: number, degree: number, { colluding, dropout, sigma }: GraphSettings): number | undefined {
  const colluders = Math.floor(colluding * n);
  const dropouts = Math.floor(dropout * n);
  const failure = 2 ** -sigma;
  let apart = Math.log(n);
  for (let i = 0; i < degree / 2; i++) apart += Math.log(Math.max(colluders + dropouts - i, 0) / (n - i));
  if (apart > Math.log(failure)) return undefined;
  let lost = 0;
  let t = 0;
  while (t < degree) {
    lost += hypergeometricRange(n - 1, n - 1 - dropouts, degree, t, t);
    if (n * lost > failure) break;
    t++; // Fewer than t neighbours stay with a probability of at most 2^-sigma.
  }
  const opened = n * hypergeometricRange(n - 1, colluders, degree, t - HIDING + 1, degree);
  return t >= HIDING && opened <= failure ? t : undefined;
}

/** Fisher and Yates's shuffle of 0 … n − 1. */
function shuffled(n: number, random: RandomBytes): number[] {
  const uniform = new UniformIntegers(random);
  const order = range(n);
  for (let last = n - 1; last > 0; last--) {
    const other = uniform.below(last + 1);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
