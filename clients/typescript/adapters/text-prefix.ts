/**
 * A prefix that begins from a text: the keys and values that the model itself computes for the text's first tokens, so training starts where the
 * model would be after reading them. Keys hold their positions, so the tokens are never repeated: the text must have enough of them.
 * @see PEFT 0.21 `tuners/cartridge/utils.py` initialize_kv_prefix_from_text; arXiv:2101.00190 sec. 4.3
 */
import { CutlayerError } from '../../../src/errors.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { AdapterContext } from './context.js';

/**
 * First values [layers, 2, P, numKvHeads, headDim] of a prefix.
 * @param text Its first P tokens count; special tokens only as they are written in it.
 * @throws CutlayerError INVALID_ARGUMENT (no text, too short a one, no gateway); PREFIX_INIT_REFUSED by the vendor's policy
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
