/**
 * Measures how long the rows of the token embedding are, so that a gateway can refuse rows that no
 * token has.
 */
import type { EmbeddingNorms } from '../../artifacts/manifest.js';
import { RowNorms } from '../../tensor/row-norms.js';
import type { StreamedWeight } from './weights-file.js';

/**
 * The lengths of the rows of a table [tokens, hiddenSize], which is read once. The lengths of all
 * rows are in memory, 4 bytes each.
 * @param scale the family's factor on embedded rows
 * @throws what the table's chunks throw; AbortError when the signal fires
 */
export async function embeddingNorms(table: StreamedWeight, scale: number, signal?: AbortSignal): Promise<EmbeddingNorms> {
  const [rows, width] = table.shape as readonly [number, number];
  const norms = new Float32Array(rows);
  let row = 0;
  const measure = new RowNorms(width, (norm) => {
    norms[row++] = norm * scale;
  });
  for await (const chunk of table.chunks(signal)) measure.add(chunk as Float32Array); // a checkpoint's weights are float32
  norms.sort();
  const at = (share: number): number => rounded(norms[Math.floor(share * (rows - 1))]!);
  return { rows, least: at(0), p1: at(0.01), p50: at(0.5), p99: at(0.99), greatest: at(1) };
}

const rounded = (norm: number): number => Number(norm.toPrecision(6));
