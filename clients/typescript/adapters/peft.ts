/**
 * PEFT's files of prompts: `adapter_config.json` as PEFT 0.21 writes it, and in
 * `adapter_model.safetensors` one float32 tensor `prompt_embeddings` [P, d]. A prefix is
 * [P, layers * 2 * kvHeads * headDim], viewed as (P, layer, key/value, head, dim).
 */
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { expectShape } from '../../../src/tensor/shape.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { AdapterDims } from './adapter.js';
import { type AdapterConfig, modelFields, parseConfig, readAdapterTensors, WEIGHTS_FILE, writeAdapterFiles } from './adapter-config.js';

const promptFields = z.looseObject({
  num_virtual_tokens: z.int().min(1),
  num_transformer_submodules: z.int().nullish(),
});

/** What the configs of all methods of soft prompts say. */
export function promptConfig(peftType: string, numVirtualTokens: number, dims: AdapterDims): AdapterConfig {
  return {
    modules_to_save: null,
    ...modelFields(dims),
    num_transformer_submodules: 1,
    num_virtual_tokens: numVirtualTokens,
    peft_type: peftType,
    token_dim: dims.hiddenSize,
  };
}

/** The config of a soft prompt as PROMPT_TUNING; multitask prompt tuning adds fields to it. */
export function promptTuningConfig(numVirtualTokens: number, dims: AdapterDims): AdapterConfig {
  return {
    ...promptConfig('PROMPT_TUNING', numVirtualTokens, dims),
    prompt_tuning_init: 'RANDOM',
    prompt_tuning_init_text: null,
    tokenizer_kwargs: null,
    tokenizer_name_or_path: null,
  };
}

/** Writes a soft prompt [P, d] as PROMPT_TUNING. */
export async function savePromptTuning(dir: string, rows: Tensor<'float32'>, dims: AdapterDims): Promise<void> {
  await writeAdapterFiles(dir, promptTuningConfig(rows.shape[0]!, dims), { prompt_embeddings: rows });
}

/**
 * Writes a prefix [layers, 2, P, kvHeads, headDim] as PREFIX_TUNING.
 * @param projection Width of the projection that made the prefix; absent: it was trained directly.
 */
export async function savePrefixTuning(
  dir: string,
  prefix: Tensor<'float32'>,
  dims: AdapterDims,
  projection?: { readonly encoderHiddenSize: number },
): Promise<void> {
  const tokenDim = dims.numKvHeads * dims.headDim;
  await writeAdapterFiles(
    dir,
    {
      ...promptConfig('PREFIX_TUNING', prefix.shape[2]!, dims),
      encoder_hidden_size: projection?.encoderHiddenSize ?? tokenDim,
      init_weights: null,
      num_attention_heads: dims.numKvHeads,
      num_layers: prefix.shape[0]!,
      prefix_projection: projection !== undefined,
      token_dim: tokenDim,
    },
    { prompt_embeddings: flattenPrefix(prefix) },
  );
}

/** Reads [P, d] of a soft prompt or P_TUNING's output. @throws CutlayerError INVALID_ADAPTER */
export function loadPromptEmbeddings(dir: string, config: AdapterConfig, dims: AdapterDims): Promise<Tensor<'float32'>> {
  return readEmbeddings(dir, config, dims.hiddenSize, 'hidden size');
}

/** Reads a prefix [layers, 2, P, kvHeads, headDim]. @throws CutlayerError INVALID_ADAPTER */
export async function loadPrefixEmbeddings(dir: string, config: AdapterConfig, dims: AdapterDims): Promise<Tensor<'float32'>> {
  const { numKvHeads, headDim } = dims;
  const layers = dims.bottom + dims.backbone + dims.top;
  const what = `${layers} layers x 2 x ${numKvHeads} heads x ${headDim}`;
  return unflattenPrefix(await readEmbeddings(dir, config, layers * 2 * numKvHeads * headDim, what), dims);
}

/** [layers, 2, P, heads, dim] -> [P, layers * 2 * heads * dim]. */
export function flattenPrefix({ shape, data }: Tensor<'float32'>): Tensor<'float32'> {
  const [layers, , P, heads, dim] = shape as [number, number, number, number, number];
  return f32([P, layers * 2 * heads * dim], swapped(data, layers * 2, P));
}

/** [P, layers * 2 * heads * dim] -> [layers, 2, P, heads, dim]. */
function unflattenPrefix({ shape, data }: Tensor<'float32'>, dims: AdapterDims): Tensor<'float32'> {
  const layers = dims.bottom + dims.backbone + dims.top;
  return f32([layers, 2, shape[0]!, dims.numKvHeads, dims.headDim], swapped(data, shape[0]!, layers * 2));
}

/** [first, second, ...] -> [second, first, ...]. */
function swapped(data: Float32Array, first: number, second: number): Float32Array {
  const result = new Float32Array(data.length);
  const block = data.length / (first * second);
  for (let a = 0; a < first; a++) {
    for (let b = 0; b < second; b++) {
      const from = (a * second + b) * block;
      result.set(data.subarray(from, from + block), (b * first + a) * block);
    }
  }
  return result;
}

async function readEmbeddings(dir: string, config: AdapterConfig, width: number, what: string): Promise<Tensor<'float32'>> {
  const fields = parseConfig(dir, promptFields, config);
  if ((fields.num_transformer_submodules ?? 1) !== 1) {
    throw new CutlayerError('INVALID_ADAPTER', `${dir}: num_transformer_submodules must be 1, got ${fields.num_transformer_submodules}`);
  }
  const tensors = await readAdapterTensors(dir);
  const embeddings = tensors.get('prompt_embeddings');
  if (embeddings === undefined || tensors.size !== 1) {
    const found = [...tensors.keys()].slice(0, 4).join(', ') || 'none';
    throw new CutlayerError('INVALID_ADAPTER', `${join(dir, WEIGHTS_FILE)}: expected one float tensor prompt_embeddings, got ${found}`);
  }
  expectShape(`${dir}: prompt_embeddings`, embeddings.shape, [fields.num_virtual_tokens, width], {
    code: 'INVALID_ADAPTER',
    hint: ` (${what}); the adapter was trained for another model`,
  });
  return embeddings;
}
