/** The rows of a known text, and those that were sent, so that they compare. */
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { StepParts } from '../adapters/adapter.js';
import type { ClientBundle } from '../model/client-bundle.js';
import { layersOf, spanKindOf } from '../model/split-step.js';
import { withoutPositions } from './table-search.js';

type Floats = Tensor<'float32'>;

/** The rows [S, d] of a text behind the held blocks, which have the vendor's weights. */
export async function textRows(
  bundle: ClientBundle,
  parts: Pick<StepParts, 'softPrompt' | 'prefix'>,
  tokens: readonly number[],
  signal?: AbortSignal,
): Promise<Floats> {
  const { softPrompt, prefix } = parts;
  const embeds = await bundle.embed(tokens);
  const { bottom, hiddenSize } = bundle.dims;
  if (bottom === 0) return embeds;
  const feeds = {
    inputsEmbeds: f32([1, tokens.length, hiddenSize], embeds.data),
    ...(softPrompt && { softPrompt }),
    ...(prefix && { prefix: layersOf(prefix, 0, bottom) }),
  };
  const { hiddenStates } = await bundle.spanForward({ span: 'bottom', kind: spanKindOf(parts), trained: false }, feeds, signal);
  return f32([tokens.length, hiddenSize], hiddenStates!.data);
}

/**
 * Rows that were sent; without held blocks as those of the table.
 * @param first The position of the first one, virtual tokens counted.
 */
export async function sentRows(bundle: ClientBundle, rows: Floats, first: number, signal?: AbortSignal): Promise<Floats> {
  return bundle.dims.bottom > 0 ? rows : withoutPositions(bundle, rows, first, signal);
}

/**
 * What learned positions add to the rows of a text without held blocks; undefined: nothing.
 * @param first The position of the first one, virtual tokens counted.
 */
export async function positionRows(
  bundle: ClientBundle,
  count: number,
  first: number,
  signal?: AbortSignal,
): Promise<readonly Float32Array[] | undefined> {
  const { bottom, hiddenSize } = bundle.dims;
  if (bottom > 0 || !bundle.has('bottom')) return undefined;
  const none = f32([count, hiddenSize], new Float32Array(count * hiddenSize));
  const { data } = await withoutPositions(bundle, none, first, signal);
  return Array.from({ length: count }, (_, row) => data.slice(row * hiddenSize, (row + 1) * hiddenSize).map((value) => -value));
}
