/**
 * PEFT's files of prompt-learning adapters: `adapter_config.json` with the fields that PEFT 0.21 writes, and `adapter_model.safetensors` with one
 * float32 tensor `prompt_embeddings`: [P, d], or for a prefix [P, layers * 2 * kvHeads * headDim] viewed as (P, layer, key/value, head, dim).
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { readTensors, writeTensors } from '../../../src/safetensors/tensors-file.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { writeFileAtomic } from '../atomic-file.js';
import type { AdapterDims, AdapterKind } from './adapter.js';

const CONFIG_FILE = 'adapter_config.json';
const WEIGHTS_FILE = 'adapter_model.safetensors';

/** An adapter as its files give it: `parameter` is [P, d] or [layers, 2, P, kvHeads, headDim]. */
export interface LoadedAdapter {
  readonly kind: AdapterKind;
  readonly parameter: Tensor<'float32'>;
}

const configSchema = z.looseObject({
  peft_type: z.string(),
  task_type: z.string().nullish(),
  num_virtual_tokens: z.int().min(1),
  token_dim: z.int().min(1).nullish(),
  num_layers: z.int().min(1).nullish(),
  num_transformer_submodules: z.int().nullish(),
  prefix_projection: z.boolean().nullish(),
});

/** Writes a soft prompt [P, d] as PROMPT_TUNING. */
export async function savePromptTuning(dir: string, parameter: Tensor<'float32'>, dims: AdapterDims): Promise<void> {
  await save(dir, parameter, {
    auto_mapping: null,
    base_model_name_or_path: null,
    inference_mode: true,
    modules_to_save: null,
    num_attention_heads: dims.numHeads,
    num_layers: dims.bottom + dims.backbone + dims.top,
    num_transformer_submodules: 1,
    num_virtual_tokens: parameter.shape[0]!,
    peft_type: 'PROMPT_TUNING',
    peft_version: '0.21.0',
    prompt_tuning_init: 'RANDOM',
    prompt_tuning_init_text: null,
    revision: null,
    task_type: 'CAUSAL_LM',
    token_dim: dims.hiddenSize,
    tokenizer_kwargs: null,
    tokenizer_name_or_path: null,
  });
}

/** Writes a prefix [layers, 2, P, kvHeads, headDim] as PREFIX_TUNING without projection. */
export async function savePrefixTuning(dir: string, parameter: Tensor<'float32'>, dims: AdapterDims): Promise<void> {
  const tokenDim = dims.numKvHeads * dims.headDim;
  await save(dir, flattenPrefix(parameter), {
    auto_mapping: null,
    base_model_name_or_path: null,
    encoder_hidden_size: tokenDim,
    inference_mode: true,
    init_weights: null,
    modules_to_save: null,
    num_attention_heads: dims.numKvHeads,
    num_layers: parameter.shape[0]!,
    num_transformer_submodules: 1,
    num_virtual_tokens: parameter.shape[2]!,
    peft_type: 'PREFIX_TUNING',
    peft_version: '0.21.0',
    prefix_projection: false,
    revision: null,
    task_type: 'CAUSAL_LM',
    token_dim: tokenDim,
  });
}

/**
 * Reads an adapter that PEFT or this library has written.
 * @throws CutlayerError NOT_FOUND, INVALID_ADAPTER (another kind of adapter, or one for a model of other dims)
 */
export async function loadPeft(dir: string, dims: AdapterDims): Promise<LoadedAdapter> {
  const config = await readConfig(dir);
  const embeddings = await readEmbeddings(dir);
  const P = config.num_virtual_tokens;
  const shape = embeddings.shape;
  const expect = (width: number, what: string) => {
    if (shape.length !== 2 || shape[0] !== P || shape[1] !== width) {
      throw new CutlayerError(
        'INVALID_ADAPTER',
        `${dir}: prompt_embeddings: this model wants [${P}, ${width}] (${what}), the file has [${shape.join(', ')}]; ` +
          'the adapter was trained for another model',
      );
    }
  };
  switch (config.peft_type) {
    case 'PROMPT_TUNING':
    case 'P_TUNING':
      expect(dims.hiddenSize, 'hidden size');
      return { kind: 'softPrompt', parameter: embeddings };
    case 'PREFIX_TUNING': {
      const layers = dims.bottom + dims.backbone + dims.top;
      expect(layers * 2 * dims.numKvHeads * dims.headDim, `${layers} layers x 2 x ${dims.numKvHeads} heads x ${dims.headDim}`);
      return { kind: 'prefix', parameter: unflattenPrefix(embeddings, dims) };
    }
    default:
      throw new CutlayerError(
        'INVALID_ADAPTER',
        `${dir}: peft_type ${config.peft_type} is not supported; expected PROMPT_TUNING, P_TUNING or PREFIX_TUNING`,
      );
  }
}

/** [layers, 2, P, heads, dim] -> [P, layers * 2 * heads * dim]. */
export function flattenPrefix(prefix: Tensor<'float32'>): Tensor<'float32'> {
  const [layers, , P, heads, dim] = prefix.shape as [number, number, number, number, number];
  const block = heads * dim;
  const flat = new Float32Array(prefix.data.length);
  for (let slot = 0; slot < layers * 2; slot++) {
    for (let p = 0; p < P; p++) {
      const from = (slot * P + p) * block;
      flat.set(prefix.data.subarray(from, from + block), (p * layers * 2 + slot) * block);
    }
  }
  return f32([P, layers * 2 * block], flat);
}

/** [P, layers * 2 * heads * dim] -> [layers, 2, P, heads, dim]. */
export function unflattenPrefix(flat: Tensor<'float32'>, dims: AdapterDims): Tensor<'float32'> {
  const layers = dims.bottom + dims.backbone + dims.top;
  const P = flat.shape[0]!;
  const block = dims.numKvHeads * dims.headDim;
  const data = new Float32Array(flat.data.length);
  for (let p = 0; p < P; p++) {
    for (let slot = 0; slot < layers * 2; slot++) {
      const from = (p * layers * 2 + slot) * block;
      data.set(flat.data.subarray(from, from + block), (slot * P + p) * block);
    }
  }
  return f32([layers, 2, P, dims.numKvHeads, dims.headDim], data);
}

async function save(dir: string, embeddings: Tensor<'float32'>, config: object): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeTensors(join(dir, WEIGHTS_FILE), { prompt_embeddings: embeddings }, { format: 'pt' });
  await writeFileAtomic(join(dir, CONFIG_FILE), `${JSON.stringify(config, null, 2)}\n`);
}

async function readConfig(dir: string): Promise<z.infer<typeof configSchema>> {
  const file = join(dir, CONFIG_FILE);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${dir}: no ${CONFIG_FILE} here; expected a directory with a PEFT adapter`, { cause });
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CutlayerError('INVALID_ADAPTER', `${file}: not JSON`, { cause });
  }
  const parsed = configSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new CutlayerError('INVALID_ADAPTER', `${file}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
  }
  const config = parsed.data;
  if (config.task_type !== undefined && config.task_type !== null && config.task_type !== 'CAUSAL_LM') {
    throw new CutlayerError('INVALID_ADAPTER', `${file}: task_type must be CAUSAL_LM, got ${config.task_type}`);
  }
  if ((config.num_transformer_submodules ?? 1) !== 1) {
    throw new CutlayerError('INVALID_ADAPTER', `${file}: num_transformer_submodules must be 1, got ${config.num_transformer_submodules}`);
  }
  return config;
}

async function readEmbeddings(dir: string): Promise<Tensor<'float32'>> {
  const file = join(dir, WEIGHTS_FILE);
  const { tensors } = await readTensors(file);
  const found = tensors.get('prompt_embeddings');
  if (found === undefined || found.dtype !== 'float32' || tensors.size !== 1) {
    throw new CutlayerError(
      'INVALID_ADAPTER',
      `${file}: expected one float tensor prompt_embeddings, got ${[...tensors.keys()].slice(0, 4).join(', ') || 'none'}`,
    );
  }
  const embeddings = found as Tensor<'float32'>;
  if (!embeddings.data.every(Number.isFinite))
    throw new CutlayerError('INVALID_ADAPTER', `${file}: prompt_embeddings holds NaN or infinity`);
  return embeddings;
}
