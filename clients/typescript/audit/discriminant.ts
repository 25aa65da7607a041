/**
 * Which token features stand for, learned from those of known tokens. Each token has a mean, all
 * share one covariance, and frequent tokens are likelier: linear discriminant analysis.
 * @see Hastie, Tibshirani and Friedman 2009, "The Elements of Statistical Learning", sec. 4.3
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Added to each variance: a share of it, and of the variance of all rows. */
const SHRINK = 0.01;
const LEAST_VARIANCE = 1e-6;
/** Tokens or rows between looks at the signal. */
const BETWEEN_LOOKS = 256;

/** Features of known tokens, summed up. */
export class Discriminant {
  readonly #width: number;
  /** [vocabulary, width]: sums, then means. */
  readonly #means: Float32Array;
  readonly #counts: Uint32Array;
  /** Sums of products [width, width], of which the upper half is kept. */
  readonly #products: Float64Array;
  readonly #total: Float64Array;
  #rows = 0;

  /** @param width Features of each. */
  constructor(vocabSize: number, width: number) {
    this.#width = width;
    this.#means = new Float32Array(vocabSize * width);
    this.#counts = new Uint32Array(vocabSize);
    this.#products = new Float64Array(width ** 2);
    this.#total = new Float64Array(width);
  }

  /** @param values [width] */
  add(token: number, values: Float32Array): void {
    const width = this.#width;
    const sums = this.#means.subarray(token * width, (token + 1) * width);
    for (let i = 0; i < width; i++) {
      const value = values[i]!;
      sums[i] = sums[i]! + value;
      this.#total[i] = this.#total[i]! + value;
      for (let j = i, at = i * width + i; j < width; j++, at++) this.#products[at] = this.#products[at]! + value * values[j]!;
    }
    this.#counts[token] = this.#counts[token]! + 1;
    this.#rows++;
  }

  /** @param logPrior [vocabulary], up to a constant. Nothing may be added afterwards. */
  async fit(logPrior: Float64Array, signal?: AbortSignal): Promise<TokenClassifier> {
    const width = this.#width;
    const tokens = [...this.#counts.keys()].filter((token) => this.#counts[token]! > 0);
    const covariance = this.#products;
    const variance = Float64Array.from(
      { length: width },
      (_, i) => covariance[i * width + i]! / this.#rows - (this.#total[i]! / this.#rows) ** 2,
    );
    for (const [done, token] of tokens.entries()) {
      if (done % BETWEEN_LOOKS === 0) await look(signal);
      const count = this.#counts[token]!;
      const mean = this.#mean(token);
      for (let i = 0; i < width; i++) mean[i] = mean[i]! / count;
      for (let i = 0; i < width; i++) {
        const scaled = count * mean[i]!;
        for (let j = i, at = i * width + i; j < width; j++, at++) covariance[at] = covariance[at]! - scaled * mean[j]!;
      }
    }
    const freedom = Math.max(1, this.#rows - tokens.length);
    for (let at = 0; at < covariance.length; at++) covariance[at] = covariance[at]! / freedom;
    for (let i = 0; i < width; i++) {
      const at = i * width + i;
      covariance[at] = Math.max(0, covariance[at]!) * (1 + SHRINK) + LEAST_VARIANCE * variance[i]! + Number.MIN_VALUE;
    }
    factor(covariance, width);
    for (const [done, token] of tokens.entries()) {
      if (done % BETWEEN_LOOKS === 0) await look(signal);
      whiten(covariance, this.#mean(token));
    }
    return new TokenClassifier({ tokens, means: this.#means, width, logPrior, whitened: (values) => whiten(covariance, values.slice()) });
  }

  #mean(token: number): Float32Array {
    return this.#means.subarray(token * this.#width, (token + 1) * this.#width);
  }
}

interface Learned {
  readonly tokens: readonly number[];
  /** [vocabulary, width], whitened. */
  readonly means: Float32Array;
  readonly width: number;
  readonly logPrior: Float64Array;
  whitened(values: Float32Array): Float32Array;
}

/** Says which token is likeliest. */
export class TokenClassifier {
  readonly #learned: Learned;

  constructor(learned: Learned) {
    this.#learned = learned;
  }

  /** @param values [width] */
  tokenOf(values: Float32Array): number {
    return this.likeliest(values, 1)[0]?.token ?? 0;
  }

  /** The likeliest first, at most `count`. @param values [width] */
  likeliest(values: Float32Array, count: number): readonly LikelyToken[] {
    const { tokens, means, width, logPrior, whitened } = this.#learned;
    const wanted = whitened(values);
    const best: { token: number; distance: number }[] = [];
    let worst = Number.POSITIVE_INFINITY;
    for (const token of tokens) {
      let distance = -2 * logPrior[token]!;
      // A token that is already farther needs no further look.
      for (let i = 0, at = token * width; i < width && distance < worst; i++, at++) distance += (wanted[i]! - means[at]!) ** 2;
      if (distance >= worst) continue;
      if (best.length === count) best.pop();
      let place = best.length;
      while (place > 0 && best[place - 1]!.distance > distance) place--;
      best.splice(place, 0, { token, distance });
      if (best.length === count) worst = best[count - 1]!.distance;
    }
    return best.map(({ token, distance }) => ({ token, logLikelihood: -distance / 2 }));
  }
}

/** A token with its log likelihood, up to a constant. */
export interface LikelyToken {
  readonly token: number;
  readonly logLikelihood: number;
}

async function look(signal: AbortSignal | undefined): Promise<void> {
  await nextTurn();
  signal?.throwIfAborted();
}

/** Cholesky in place: the upper half becomes R of RᵀR. */
function factor(matrix: Float64Array, width: number): void {
  for (let row = 0; row < width; row++) {
    const from = row * width;
    for (let above = 0; above < row; above++) {
      const scale = matrix[above * width + row]!;
      for (let j = row; j < width; j++) matrix[from + j] = matrix[from + j]! - scale * matrix[above * width + j]!;
    }
    // Rounding alone makes a pivot negative: such a direction says nothing.
    const pivot = Math.sqrt(Math.max(matrix[from + row]!, Number.MIN_VALUE));
    for (let j = row; j < width; j++) matrix[from + j] = matrix[from + j]! / pivot;
  }
}

/** Rᵀ⁻¹ of a vector, in place: the covariance becomes the identity. */
function whiten(factored: Float64Array, values: Float32Array): Float32Array {
  const width = values.length;
  for (let i = 0; i < width; i++) {
    const value = values[i]! / factored[i * width + i]!;
    values[i] = value;
    for (let j = i + 1, at = i * width + i + 1; j < width; j++, at++) values[j] = values[j]! - value * factored[at]!;
  }
  return values;
}
