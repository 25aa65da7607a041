/** The rows of the whole model's last block: the vendor can make them of those that it returns. */
import { f32, type Tensor, tensor } from '../../../src/tensor/tensor.js';
import type { Feeds, StepParts } from '../adapters/adapter.js';
import type { ClientBundle, SpanVariant } from '../model/client-bundle.js';
import { layersOf } from '../model/split-step.js';
import type { SeenRecord } from './seen.js';

type VirtualTokens = Pick<StepParts, 'softPrompt' | 'prefix'>;

/**
 * The returned rows behind the top blocks that the client holds, which have the vendor's weights.
 * @returns [N, d], a row for each that was returned: of the soft prompt too
 */
export async function lastRows(
  bundle: ClientBundle,
  { outputs }: Pick<SeenRecord, 'outputs'>,
  parts: VirtualTokens,
  signal?: AbortSignal,
): Promise<Tensor<'float32'>> {
  const { top, hiddenSize } = bundle.dims;
  const returned = outputs ?? f32([0, hiddenSize], new Float32Array());
  const count = returned.shape[0]!;
  if (top === 0 || count === 0) return returned;
  const { variant, feeds } = topFeeds(bundle, returned.data, parts, { copies: 1, rows: Array.from({ length: count }, (_, row) => row) });
  return (await bundle.spanForward(variant, feeds, signal)).rows!;
}

/**
 * What the top blocks take for some rows that were returned, from the first on. Those of a soft
 * prompt are rows like any other behind the backbone.
 * @param values [rows, d] @param wanted How often they go side by side, and which are wanted back.
 */
export function topFeeds(
  bundle: ClientBundle,
  values: Float32Array,
  { prefix }: VirtualTokens,
  wanted: { readonly copies: number; readonly rows: readonly number[] },
): { readonly variant: SpanVariant; readonly feeds: Feeds } {
  const { bottom, backbone, top, hiddenSize } = bundle.dims;
  const { copies, rows } = wanted;
  const count = values.length / hiddenSize;
  const hiddenStates = new Float32Array(copies * values.length);
  for (let copy = 0; copy < copies; copy++) hiddenStates.set(values, copy * values.length);
  const positions = Array.from({ length: copies }, (_, copy) => rows.map((row) => BigInt(copy * count + row))).flat();
  return {
    variant: { span: 'top', kind: prefix === undefined ? 'none' : 'prefix', trained: false },
    feeds: {
      hiddenStates: f32([copies, count, hiddenSize], hiddenStates),
      ...(prefix && { prefix: layersOf(prefix, bottom + backbone, top) }),
      positions: tensor('int64', [positions.length], BigInt64Array.from(positions)),
    },
  };
}
