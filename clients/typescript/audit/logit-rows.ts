/** Logits of rows, some rows at a time, so that their memory is bounded. */
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { ClientBundle, HeadParts } from '../model/client-bundle.js';

/** Most logits of one run. */
const CHUNK_VALUES = 1 << 23;

/** The logits of each row [N, d]; they are valid until the next row is asked for. */
export async function* logitRows(
  bundle: ClientBundle,
  rows: Tensor<'float32'>,
  head: HeadParts,
  signal?: AbortSignal,
): AsyncGenerator<{ readonly row: number; readonly logits: Float32Array }> {
  const [count, d] = rows.shape as [number, number];
  const width = head.classifier?.shape[0] ?? bundle.vocabSize;
  const most = Math.max(1, Math.floor(CHUNK_VALUES / width));
  for (let from = 0; from < count; from += most) {
    const end = Math.min(count, from + most);
    const { data } = await bundle.logits(f32([end - from, d], rows.data.slice(from * d, end * d)), head, signal);
    for (let row = from; row < end; row++) yield { row, logits: data.subarray((row - from) * width, (row - from + 1) * width) };
  }
}

/** The index of the largest value. */
export function argmax(values: Float32Array): number {
  let best = 0;
  for (let at = 1; at < values.length; at++) if (values[at]! > values[best]!) best = at;
  return best;
}
