/**
 * Weights under transformers' names, for what PEFT has no format for: `model.safetensors` and a
 * README. They are loaded over the base model with `load_state_dict(..., strict=False)`.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { writeFileAtomic } from '../../../src/files/atomic-file.js';
import { openSafetensors } from '../../../src/safetensors/reader.js';
import { writeTensors } from '../../../src/safetensors/tensors-file.js';
import { allFinite } from '../../../src/tensor/finite.js';
import type { Tensor } from '../../../src/tensor/tensor.js';

/** transformers' name of a checkpoint's weights. */
export const PARTIAL_FILE = 'model.safetensors';

/** Writes both files. @param loading the Python expression that makes the base model. */
export async function writePartialCheckpoint(
  dir: string,
  tensors: Readonly<Record<string, Tensor<'float32'>>>,
  { title, loading }: { readonly title: string; readonly loading: string },
): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeTensors(join(dir, PARTIAL_FILE), tensors, { format: 'pt' });
  const readme = `# ${title}

\`${PARTIAL_FILE}\` holds ${Object.keys(tensors).length} float32 weights under transformers' names. The rest of the model is the base checkpoint:

\`\`\`python
from safetensors.torch import load_file
from transformers import ${loading.slice(0, loading.indexOf('.'))}

model = ${loading}
unexpected = model.load_state_dict(load_file("${PARTIAL_FILE}"), strict=False).unexpected_keys
assert not unexpected
\`\`\`
`;
  await writeFileAtomic(join(dir, 'README.md'), readme);
}

/** Reads finite weights. @throws CutlayerError NOT_FOUND, INVALID_SAFETENSORS, INVALID_ADAPTER */
export async function readPartialCheckpoint(dir: string): Promise<ReadonlyMap<string, Tensor<'float32'>>> {
  const path = join(dir, PARTIAL_FILE);
  const file = await openSafetensors(path);
  try {
    const tensors = new Map<string, Tensor<'float32'>>();
    for (const name of file.tensors.keys()) {
      const tensor = await file.read(name);
      if (!allFinite(tensor.data)) throw new CutlayerError('INVALID_ADAPTER', `${path}: ${name} holds NaN or infinity`);
      tensors.set(name, tensor);
    }
    return tensors;
  } finally {
    await file.close();
  }
}
