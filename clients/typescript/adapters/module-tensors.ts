/**
 * PEFT's tensors of methods that change modules (LoRA, trainable tokens, classification head). Each
 * is named `base_model.model.<module>.<tensor>`, with transformers' name of the module.
 */
import { join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { type DimPattern, expectShape } from '../../../src/tensor/shape.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { FloatFeeds } from './adapter.js';
import { readAdapterTensors, WEIGHTS_FILE } from './adapter-config.js';

const BASE = 'base_model.model.';

/** PEFT's file names of tensors by the model's own names. */
export function peftNames(tensors: FloatFeeds): FloatFeeds {
  return Object.fromEntries(Object.entries(tensors).map(([name, value]) => [BASE + name, value]));
}

/** Tensors by model name. @throws CutlayerError NOT_FOUND, INVALID_SAFETENSORS, INVALID_ADAPTER */
export async function readModuleTensors(dir: string): Promise<ReadonlyMap<string, Tensor<'float32'>>> {
  const tensors = new Map<string, Tensor<'float32'>>();
  for (const [name, tensor] of await readAdapterTensors(dir)) {
    if (!name.startsWith(BASE)) {
      const file = join(dir, WEIGHTS_FILE);
      throw new CutlayerError(
        'INVALID_ADAPTER',
        `${file}: ${name}: expected names that begin with ${BASE}; save the adapter with save_pretrained`,
      );
    }
    tensors.set(name.slice(BASE.length), tensor);
  }
  return tensors;
}

/** Checks the shape of a file's tensor. @throws CutlayerError INVALID_ADAPTER */
export function expectFileShape(where: string, { shape }: Tensor, wanted: readonly DimPattern[]): void {
  expectShape(where, shape, wanted, { code: 'INVALID_ADAPTER', hint: '; the adapter was trained for another model' });
}
