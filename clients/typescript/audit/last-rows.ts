/** The rows of the whole model's last block: the vendor can make them of those that it returns. */
import { f32, type Tensor, tensor } from '../../../src/tensor/tensor.js';
import type { StepParts } from '../adapters/adapter.js';
import type { ClientBundle } from '../model/client-bundle.js';
import { layersOf, spanKindOf } from '../model/split-step.js';
import type { SeenRecord } from './seen.js';

/**
 * The returned rows behind the top blocks that the client holds, which have the vendor's weights.
 * @returns [N, d], a row for each that was returned: of the soft prompt too
 */
export async function lastRows(
  bundle: ClientBundle,
  { outputs, leading }: Pick<SeenRecord, 'outputs' | 'leading'>,
  parts: Pick<StepParts, 'softPrompt' | 'prefix'>,
  signal?: AbortSignal,
): Promise<Tensor<'float32'>> {
  const { bottom, backbone, top, hiddenSize: d } = bundle.dims;
  const returned = outputs ?? f32([0, d], new Float32Array());
  const [count] = returned.shape as [number, number];
  if (top === 0 || count === 0) return returned;
  const { prefix } = parts;
  const feeds = {
    hiddenStates: f32([1, count - leading, d], returned.data.slice(leading * d)),
    ...(leading === 0 ? {} : { softPromptHidden: f32([leading, d], returned.data.slice(0, leading * d)) }),
    ...(prefix && { prefix: layersOf(prefix, bottom + backbone, top) }),
    positions: tensor(
      'int64',
      [count],
      BigInt64Array.from({ length: count }, (_, row) => BigInt(row)),
    ),
  };
  return (await bundle.spanForward({ span: 'top', kind: spanKindOf(parts), trained: false }, feeds, signal)).rows!;
}
