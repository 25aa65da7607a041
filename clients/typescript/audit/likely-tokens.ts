/**
 * Which tokens to try first for a row behind some blocks: those whose own row, when it was last
 * tried in any context, was nearest. At first that is their row of the embedding table.
 */
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { ClientBundle } from '../model/client-bundle.js';
import { tableChunks } from './table-search.js';

/** Tokens in the order in which to try them. */
export interface Ranking {
  /** The next ones, fewer at the end. */
  next(count: number): readonly number[];
}

/** After these runs, tokens are ranked anew once in as many. */
const RANKED_EACH_RUN = 8;

/** The rows of a whole vocabulary: 4 bytes for each value. */
export class LikelyTokens {
  readonly #rows: Float32Array;
  readonly #vocabSize: number;

  private constructor(rows: Float32Array, vocabSize: number) {
    this.#rows = rows;
    this.#vocabSize = vocabSize;
  }

  static async open(bundle: ClientBundle, signal?: AbortSignal): Promise<LikelyTokens> {
    const d = bundle.dims.hiddenSize;
    const rows = new Float32Array(bundle.vocabSize * d);
    for await (const { first, table } of tableChunks(bundle, { signal })) rows.set(table, first * d);
    return new LikelyTokens(rows, bundle.vocabSize);
  }

  /** The ranking for a row [d]; what is learnt between two calls changes it. */
  of(row: Float32Array): Ranking {
    const tried = new Uint8Array(this.#vocabSize);
    let waiting: readonly number[] = [];
    let runs = 0;
    return {
      next: (count) => {
        if (waiting.length < count || runs < RANKED_EACH_RUN || runs % RANKED_EACH_RUN === 0) waiting = this.#ranked(row, tried);
        runs++;
        const taken = waiting.slice(0, count);
        waiting = waiting.slice(count);
        for (const token of taken) tried[token] = 1;
        return taken;
      },
    };
  }

  /** Keeps the rows [candidates, d] of tokens. @returns how far each is from the row */
  learn(row: Float32Array, candidates: readonly number[], { data }: Tensor<'float32'>): readonly number[] {
    const d = row.length;
    return candidates.map((token, at) => {
      this.#rows.set(data.subarray(at * d, (at + 1) * d), token * d);
      return this.#distance(row, token);
    });
  }

  #ranked(row: Float32Array, tried: Uint8Array): readonly number[] {
    const distances = new Float64Array(this.#vocabSize);
    const tokens: number[] = [];
    for (let token = 0; token < this.#vocabSize; token++) {
      if (tried[token] === 1) continue;
      distances[token] = this.#distance(row, token);
      tokens.push(token);
    }
    return tokens.sort((a, b) => distances[a]! - distances[b]!);
  }

  #distance(row: Float32Array, token: number): number {
    const at = token * row.length;
    let sum = 0;
    for (let i = 0; i < row.length; i++) {
      const difference = row[i]! - this.#rows[at + i]!;
      sum += difference * difference;
    }
    return Math.sqrt(sum);
  }
}
