/**
 * PEFT's files of prompt-learning adapters: `adapter_config.json` with the fields that PEFT 0.21 writes, and `adapter_model.safetensors` with one
 * float32 tensor `prompt_embeddings`: [P, d], or for a prefix [P, layers * 2 * kvHeads * headDim] viewed as (P, layer, key/value, head, dim).
 */
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { AdapterDims } from './adapter.js';
import { type AdapterConfig, modelFields, parseConfig, readAdapterTensors, WEIGHTS_FILE, writeAdapterFiles } from './adapter-config.js';

const promptFields = z.looseObject({
  num_virtual_tokens: z.int().min(1),
  num_transformer_submodules: z.int().nullish(),
});

/** The config of a soft prompt as PROMPT_TUNING; multitask prompt tuning has these fields and more. */
export function promptTuningConfig(numVirtualTokens: number, dims: AdapterDims): AdapterConfig {
  return {
    auto_mapping: null,
    base_model_name_or_path: null,
    inference_mode: true,
    modules_to_save: null,
    ...modelFields(dims),
    num_transformer_submodules: 1,
    num_virtual_tokens: numVirtualTokens,
    peft_type: 'PROMPT_TUNING',
    peft_version: '0.21.0',
    prompt_tuning_init: 'RANDOM',
    prompt_tuning_init_text: null,
    revision: null,
    task_type: 'CAUSAL_LM',
    token_dim: dims.hiddenSize,
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
 * @param projection Width of the projection that the prefix came from; absent: it was trained directly.
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
      auto_mapping: null,
      base_model_name_or_path: null,
      encoder_hidden_size: projection?.encoderHiddenSize ?? tokenDim,
      inference_mode: true,
      init_weights: null,
      modules_to_save: null,
      num_attention_heads: dims.numKvHeads,
      num_layers: prefix.shape[0]!,
      num_transformer_submodules: 1,
      num_virtual_tokens: prefix.shape[2]!,
      peft_type: 'PREFIX_TUNING',
      peft_version: '0.21.0',
      prefix_projection: projection !== undefined,
      revision: null,
      task_type: 'CAUSAL_LM',
      token_dim: tokenDim,
    },
    { prompt_embeddings: flattenPrefix(prefix) },
  );
}

/** Reads a soft prompt [P, d] of PROMPT_TUNING, or the output of P_TUNING's encoder. @throws CutlayerError INVALID_ADAPTER */
export function loadPromptEmbeddings(dir: string, config: AdapterConfig, dims: AdapterDims): Promise<Tensor<'float32'>> {
  return readEmbeddings(dir, config, dims.hiddenSize, 'hidden size');
}

/** Reads a prefix [layers, 2, P, kvHeads, headDim] of PREFIX_TUNING. @throws CutlayerError INVALID_ADAPTER */
export async function loadPrefixEmbeddings(dir: string, config: AdapterConfig, dims: AdapterDims): Promise<Tensor<'float32'>> {
  const { numKvHeads, headDim } = dims;
  const layers = dims.bottom + dims.backbone + dims.top;
  const what = `${layers} layers x 2 x ${numKvHeads} heads x ${headDim}`;
  return unflattenPrefix(await readEmbeddings(dir, config, layers * 2 * numKvHeads * headDim, what), dims);
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
  const { shape } = embeddings;
  const P = fields.num_virtual_tokens;
  if (shape.length !== 2 || shape[0] !== P || shape[1] !== width) {
    throw new CutlayerError(
      'INVALID_ADAPTER',
      `${dir}: prompt_embeddings: this model wants [${P}, ${width}] (${what}), the file has [${shape.join(', ')}]; ` +
        'the adapter was trained for another model',
    );
  }
  return embeddings;
}
