/**
 * A prefix that begins with the model's keys and values of a text, as if the model had read it.
 * Keys hold positions, so tokens are never repeated: the text must be long enough.
 * @see PEFT 0.21 `tuners/cartridge/utils.py` initialize_kv_prefix_from_text; arXiv:2101.00190 sec.
 *   4.3
 */
import { CutlayerError } from '../../../src/errors.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { AdapterContext } from './context.js';

/**
 * First values [layers, 2, P, numKvHeads, headDim] of a prefix.
 * @param text Its first P tokens count; special tokens only as written in it.
 * @throws CutlayerError INVALID_ARGUMENT (text missing or short, no gateway), PREFIX_INIT_REFUSED
 */
export async function textPrefix(
  { bundle, keyValues }: AdapterContext,
  numVirtualTokens: number,
  text: string | undefined,
): Promise<Tensor<'float32'>> {
  if (text === undefined) throw new CutlayerError('INVALID_ARGUMENT', 'init TEXT: pass the text with --init-text (initText)');
  if (keyValues === undefined)
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      'prefix-tuning: init TEXT asks the gateway for keys and values; connect to one, or use init RANDOM',
    );
  const tokenIds = bundle.encode(text);
  if (tokenIds.length < numVirtualTokens)
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `prefix-tuning: the init text has ${tokenIds.length} tokens, ${numVirtualTokens} virtual tokens want as many; ` +
        `give a longer text or ask for ${tokenIds.length} virtual tokens`,
    );
  return keyValues(tokenIds.slice(0, numVirtualTokens));
}
