/**
 * Keys and values of some tokens: the client computes its blocks' share, the gateway the
 * backbone's, if the vendor's policy allows it. Asked for once, before training: always in float32.
 */
import { concatRows } from '../../../src/tensor/floats.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { ClientBundle } from './client-bundle.js';
import type { RemoteModel } from './remote-model.js';

/**
 * Keys (after rotary embedding) and values of all blocks, as a prefix holds them.
 * @returns [layers of the whole model, 2, tokens, numKvHeads, headDim]
 * @throws CutlayerError PREFIX_INIT_REFUSED (by policy), LIMIT_EXCEEDED; as `RemoteModel.forward`
 */
export async function wholeKeyValues(
  bundle: ClientBundle,
  remote: RemoteModel,
  tokenIds: readonly number[],
  signal?: AbortSignal,
): Promise<Tensor<'float32'>> {
  const { hiddenSize, bottom, top } = bundle.dims;
  const shape = [1, tokenIds.length, hiddenSize];
  const inputsEmbeds = f32(shape, (await bundle.embed(tokenIds)).data);
  const hiddenStates = bundle.has('bottom')
    ? (await bundle.spanForward({ span: 'bottom', kind: 'none', trained: false }, { inputsEmbeds }, signal)).hiddenStates!
    : inputsEmbeds;
  // The backbone first: where the vendor refuses, nothing else needs to run.
  const parts = [await remote.keyValues(hiddenStates, signal)];
  if (bottom > 0) parts.unshift(await bundle.keyValues('bottom', inputsEmbeds, signal));
  if (top > 0) {
    const { output } = await remote.forward({ hiddenStates, lengths: [tokenIds.length], training: false, signal });
    parts.push(await bundle.keyValues('top', f32(shape, output.data), signal));
  }
  return concatRows(parts);
}
