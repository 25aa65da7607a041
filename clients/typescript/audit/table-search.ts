/** Which row of the embedding table is nearest: exact, a part of the table in memory at a time. */
import { createHash } from 'node:crypto';
import { f32, type Tensor, tensor } from '../../../src/tensor/tensor.js';
import type { ClientBundle } from '../model/client-bundle.js';

type Floats = Tensor<'float32'>;

/** Rows of the table that are held at a time. */
const CHUNK = 4096;
/** Dims that are compared first; the rest only where these leave a token in the race. */
const FIRST_DIMS = 32;

/** How a search is watched and ended. */
export interface SearchOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

/** A row's nearest token so far. */
interface Best {
  token: number;
  distance: number;
}

/** For each row [N, d] the token whose row of the table is nearest (L2). */
export async function nearestTableRows(bundle: ClientBundle, rows: Floats, options: SearchOptions = {}): Promise<readonly number[]> {
  const d = rows.shape[1]!;
  const distinct = new Map<string, Float32Array>();
  const keys = Array.from({ length: rows.shape[0]! }, (_, row) => {
    const values = rows.data.subarray(row * d, (row + 1) * d);
    const key = createHash('sha256')
      .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
      .digest('base64');
    distinct.set(key, values);
    return key;
  });
  const best = new Map([...distinct.keys()].map((key) => [key, { token: -1, distance: Number.POSITIVE_INFINITY }] as const));
  for await (const { first, table } of tableChunks(bundle, options)) {
    const partial = new Float64Array(table.length / d);
    for (const [key, row] of distinct) improve(best.get(key)!, row, { first, table, partial });
  }
  return keys.map((key) => best.get(key)!.token);
}

/** The table, {@link CHUNK} rows at a time. */
export async function* tableChunks(
  bundle: ClientBundle,
  { signal, onProgress }: SearchOptions = {},
): AsyncGenerator<{ readonly first: number; readonly table: Float32Array }> {
  for (let first = 0; first < bundle.vocabSize; first += CHUNK) {
    signal?.throwIfAborted();
    const size = Math.min(CHUNK, bundle.vocabSize - first);
    const { data } = await bundle.embed(Array.from({ length: size }, (_, at) => first + at));
    yield { first, table: data };
    onProgress?.(first + size, bundle.vocabSize);
  }
}

interface Chunk {
  readonly first: number;
  readonly table: Float32Array;
  readonly partial: Float64Array;
}

function improve(best: Best, row: Float32Array, { first, table, partial }: Chunk): void {
  const d = row.length;
  const head = Math.min(FIRST_DIMS, d);
  let likely = 0;
  for (let token = 0; token < partial.length; token++) {
    partial[token] = squares(row, table, token * d, 0, head);
    if (partial[token]! < partial[likely]!) likely = token;
  }
  const consider = (token: number): void => {
    if (partial[token]! >= best.distance) return;
    const distance = partial[token]! + squares(row, table, token * d, head, d);
    if (distance < best.distance) Object.assign(best, { token: first + token, distance });
  };
  // The most likely one first: what is farther in the first dims alone needs no further look.
  consider(likely);
  for (let token = 0; token < partial.length; token++) consider(token);
}

function squares(row: Float32Array, table: Float32Array, at: number, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) {
    const difference = row[i]! - table[at + i]!;
    sum += difference * difference;
  }
  return sum;
}

/**
 * Rows that enter the backbone where the client holds no block, without the learned positions that
 * some families add to them.
 * @param rows [S, d] @param first The position of the first one, virtual tokens counted.
 */
export async function withoutPositions(bundle: ClientBundle, rows: Floats, first: number, signal?: AbortSignal): Promise<Floats> {
  if (!bundle.has('bottom')) return rows;
  const inputsEmbeds = f32([1, ...rows.shape], new Float32Array(rows.data.length));
  const feeds = { inputsEmbeds, numVirtualTokens: tensor('int64', [], BigInt64Array.of(BigInt(first))) };
  const { hiddenStates } = await bundle.spanForward({ span: 'bottom', kind: 'prefix', trained: false }, feeds, signal);
  return f32(
    rows.shape,
    rows.data.map((value, at) => value - hiddenStates!.data[at]!),
  );
}
