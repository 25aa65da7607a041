/** PEFT's two files of an adapter: what all methods share. Each method checks its own fields. */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { writeFileAtomic } from '../../../src/files/atomic-file.js';
import { parseJson } from '../../../src/files/json-text.js';
import { readTensors, writeTensors } from '../../../src/safetensors/tensors-file.js';
import { allFinite } from '../../../src/tensor/finite.js';
import { type DimPattern, expectShape } from '../../../src/tensor/shape.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { AdapterDims, FloatFeeds } from './adapter.js';

/** PEFT's name of the config. */
export const CONFIG_FILE = 'adapter_config.json';
/** PEFT's name of the tensors' file. */
export const WEIGHTS_FILE = 'adapter_model.safetensors';
/** PEFT's name of that file with safe_serialization=False. */
const PICKLED_WEIGHTS_FILE = 'adapter_model.bin';

const schema = z.looseObject({ peft_type: z.string(), task_type: z.string().nullish() });

/**
 * What a config says of the model. The inside of an imported graph is unknown: PEFT then takes the
 * fields from the model's own config.
 */
export function modelFields({ numHeads, bottom, backbone, top }: AdapterDims): Pick<AdapterConfig, 'num_attention_heads' | 'num_layers'> {
  if (numHeads === 0) return { num_attention_heads: null, num_layers: null };
  return { num_attention_heads: numHeads, num_layers: bottom + backbone + top };
}

/** The config, fields of the method included and not checked yet. */
export type AdapterConfig = z.infer<typeof schema>;

/** Reads `adapter_config.json`. @throws CutlayerError NOT_FOUND, INVALID_ADAPTER */
export async function readAdapterConfig(dir: string): Promise<AdapterConfig> {
  const file = join(dir, CONFIG_FILE);
  const text = await readFile(file, 'utf8').catch(async (cause: unknown) => {
    const ofRun = join(dir, 'adapter');
    const found = await stat(ofRun).catch(() => undefined);
    const guess = found?.isDirectory() ? `; did you mean ${ofRun}?` : '';
    throw new CutlayerError('NOT_FOUND', `${dir}: no ${CONFIG_FILE} here; expected a directory with a PEFT adapter${guess}`, { cause });
  });
  return parseConfig(file, schema, jsonOf(file, text));
}

/** The JSON of a file that lies beside an adapter. @throws CutlayerError INVALID_ADAPTER */
export function jsonOf(file: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new CutlayerError('INVALID_ADAPTER', `${file}: not JSON; copy the adapter again`, { cause });
  }
}

/** Checks a config's fields by a schema. @throws CutlayerError INVALID_ADAPTER naming `where` */
export function parseConfig<T>(where: string, fields: z.ZodType<T>, config: unknown): T {
  const parsed = fields.safeParse(config);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CutlayerError(
    'INVALID_ADAPTER',
    [where, ...(issue?.path.length ? [issue.path.join('.')] : []), issue?.message ?? 'invalid'].join(': '),
  );
}

/** Whether a tensor is SEQ_CLS's classification head; sequence-classification.ts reads it. */
export function isScore(name: string): boolean {
  return name === 'base_model.score.weight' || name === 'base_model.model.score.weight';
}

/**
 * Reads `adapter_model.safetensors` but for a classification head: float32 tensors, all finite.
 * @throws CutlayerError NOT_FOUND, INVALID_SAFETENSORS, INVALID_ADAPTER
 */
export async function readAdapterTensors(dir: string): Promise<ReadonlyMap<string, Tensor<'float32'>>> {
  const file = join(dir, WEIGHTS_FILE);
  await requireWeights(dir, file);
  const found = new Map<string, Tensor<'float32'>>();
  for (const [name, tensor] of (await readTensors(file)).tensors) {
    if (isScore(name)) continue;
    if (tensor.dtype !== 'float32')
      throw new CutlayerError('INVALID_ADAPTER', `${file}: ${name}: expected a float tensor, got ${tensor.dtype}`);
    const floats = tensor as Tensor<'float32'>;
    if (!allFinite(floats.data)) throw new CutlayerError('INVALID_ADAPTER', `${file}: ${name} holds NaN or infinity`);
    found.set(name, floats);
  }
  return found;
}

/**
 * Tensors of methods that change modules (LoRA, trainable tokens, classification head) are named
 * `base_model.model.<module>.<tensor>`, with transformers' name of the module.
 */
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

/** Tells pickled weights, PEFT's former default, from no weights. */
async function requireWeights(dir: string, file: string): Promise<void> {
  if ((await stat(file).catch(() => undefined)) !== undefined) return;
  if ((await stat(join(dir, PICKLED_WEIGHTS_FILE)).catch(() => undefined)) === undefined)
    throw new CutlayerError('NOT_FOUND', `${dir}: no ${WEIGHTS_FILE} here; expected a directory with a PEFT adapter`);
  throw new CutlayerError(
    'INVALID_ADAPTER',
    `${dir}: holds ${PICKLED_WEIGHTS_FILE}, a pickle, but no ${WEIGHTS_FILE}; load it in PEFT and save it again with ` +
      'save_pretrained(…, safe_serialization=True)',
  );
}

/** Fields of PEFT's config that all methods share. */
const sharedFields = {
  auto_mapping: null,
  base_model_name_or_path: null,
  inference_mode: true,
  peft_version: '0.21.0',
  revision: null,
  task_type: 'CAUSAL_LM',
};

/** Writes both files. `config` adds to {@link sharedFields}; keys are sorted, as PEFT has them. */
export async function writeAdapterFiles(dir: string, config: object, tensors: Readonly<Record<string, Tensor<'float32'>>>): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeTensors(join(dir, WEIGHTS_FILE), tensors, { format: 'pt' });
  const sorted = Object.fromEntries(Object.entries({ ...sharedFields, ...config }).sort(([a], [b]) => (a < b ? -1 : 1)));
  await writeFileAtomic(join(dir, CONFIG_FILE), `${JSON.stringify(sorted, null, 2)}\n`);
}
