/** Trained rows of the embedding table: put into embeddings, their cotangents taken out. */
import { mapFloats } from '../../../src/tensor/floats.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { TrainedTokenRows } from '../adapters/adapter.js';
import type { Batch } from '../data/batch.js';

/** Token ids, right-padded. */
type Tokens = Pick<Batch, 'tokenIds' | 'lengths'>;

/**
 * Replaces the rows of trained tokens in `inputsEmbeds` [batch, sequence, d], in place.
 * @param embedScale Factor from the table's rows to the embeddings.
 */
export function replaceTokenRows(inputsEmbeds: Tensor<'float32'>, batch: Tokens, trained: TrainedTokenRows, embedScale: number): void {
  const d = inputsEmbeds.shape[2]!;
  const scale = Math.fround(embedScale);
  const { data: rows } = trained.rows;
  forEachOccurrence(batch, trained, (at, row) => {
    for (let j = 0; j < d; j++) inputsEmbeds.data[at * d + j] = rows[row * d + j]! * scale;
  });
}

/**
 * The cotangent [T, d] of the trained rows: the sum over all their occurrences.
 * @param inputsEmbedsCotangent [batch, sequence, d]
 */
export function tokenRowsCotangent(
  inputsEmbedsCotangent: Tensor<'float32'>,
  batch: Tokens,
  trained: TrainedTokenRows,
  embedScale: number,
): Tensor<'float32'> {
  const d = inputsEmbedsCotangent.shape[2]!;
  const sum = new Float64Array(trained.tokenIds.length * d);
  forEachOccurrence(batch, trained, (at, row) => {
    for (let j = 0; j < d; j++) sum[row * d + j] = sum[row * d + j]! + inputsEmbedsCotangent.data[at * d + j]!;
  });
  return f32(
    [trained.tokenIds.length, d],
    mapFloats(sum, (value) => value * embedScale),
  );
}

/** Visits (flat token index, trained row) of real tokens only; padding's outputs are not read. */
function forEachOccurrence(batch: Tokens, { tokenIds }: TrainedTokenRows, visit: (at: number, row: number) => void): void {
  const rowOf = new Map(tokenIds.map((id, row) => [BigInt(id), row]));
  const sequence = batch.tokenIds.shape[1]!;
  batch.lengths.forEach((length, b) => {
    for (let s = 0; s < length; s++) {
      const row = rowOf.get(batch.tokenIds.data[b * sequence + s]!);
      if (row !== undefined) visit(b * sequence + s, row);
    }
  });
}
