/**
 * What the families' config parsers share. A config is refused if Cutlayer would compute
 * differently. Every key must be read, harmless or switched off (null or false). Any other key is
 * refused by name.
 */
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import type { Activation, SpecialTokens } from './spec.js';

/** A parsed `config.json`: an object, nothing more is known. */
export type ConfigJson = Readonly<Record<string, unknown>>;

export const positiveInt = z
  .int()
  .min(1)
  .max(1 << 24);
export const layerCount = z.int().min(1).max(4096);
/** An epsilon, a base or a factor. */
export const positiveNumber = z.number().positive().max(1e12);

const tokenId = z.int().min(0);

/** Token ids with a meaning; `eos_token_id` may be a list. */
export const specialTokensSchema = z.object({
  eos_token_id: z.union([tokenId, z.array(tokenId).max(1024)]).nullish(),
  bos_token_id: tokenId.nullish(),
  pad_token_id: z.int().nullish(),
});

/** Keys that change nothing in what the model computes, in any family. */
const harmless = new Set(
  `architectures model_type transformers_version torch_dtype dtype use_cache initializer_range attention_dropout hidden_dropout
  eos_token_id bos_token_id pad_token_id sep_token_id decoder_start_token_id unk_token_id task_specific_params output_attentions output_hidden_states
  cache_implementation return_dict return_dict_in_generate output_scores problem_type id2label label2id finetuning_task gradient_checkpointing name_or_path
  chunk_size_feed_forward tokenizer_class prefix keys_to_ignore_at_inference max_length min_length do_sample temperature top_k top_p
  repetition_penalty no_repeat_ngram_size num_beams early_stopping pretraining_tp
  transformers.js_config unsloth_version unsloth_fixed`.split(/\s+/),
);

/** The keys that a config may have. */
export interface KnownKeys {
  /** Keys that the family reads. */
  readonly read: readonly string[];
  /** Further keys that change nothing, in this family. */
  readonly harmless: readonly string[];
}

/**
 * Refuses a key that is neither read nor harmless nor switched off.
 * @throws CutlayerError UNSUPPORTED_CONFIG naming it, UNSUPPORTED_CHECKPOINT for quantized weights.
 */
export function refuseUnknownKeys(config: ConfigJson, known: KnownKeys, family: string): void {
  if (config.quantization_config != null)
    throw new CutlayerError(
      'UNSUPPORTED_CHECKPOINT',
      'config.json: quantization_config: quantized checkpoints are not read; use the float one',
    );
  const allowed = new Set([...known.read, ...known.harmless]);
  for (const [key, value] of Object.entries(config)) {
    if (key === 'layer_types' && isFullAttention(value)) continue;
    if (allowed.has(key) || harmless.has(key) || key.startsWith('_') || value === null || value === false) continue;
    throw unsupported(key, value, `nothing: it is unknown in the family ${family} and may change what the model computes`);
  }
}

/** Whether `layer_types` is full attention for every block, which the decoder computes anyway. */
function isFullAttention(value: unknown): boolean {
  return Array.isArray(value) && value.every((type) => type === 'full_attention');
}

/** The error for a config that is understood but not supported. */
export function unsupported(key: string, value: unknown, expected: string): CutlayerError {
  return new CutlayerError(
    'UNSUPPORTED_CONFIG',
    `config.json: ${key}: expected ${expected}; got ${(JSON.stringify(value) ?? 'nothing').slice(0, 80)}`,
    {
      details: { key },
    },
  );
}

/**
 * Parses the keys that a family reads.
 * @throws CutlayerError INVALID_CONFIG naming the key.
 */
export function parseKeys<T>(schema: z.ZodType<T>, config: ConfigJson): T {
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CutlayerError('INVALID_CONFIG', `config.json: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
}

/**
 * `numerator / denominator`, which must come out whole.
 * @throws CutlayerError INVALID_CONFIG
 */
export function divide(numerator: number, denominator: number, what: string): number {
  if (numerator % denominator === 0) return numerator / denominator;
  throw new CutlayerError('INVALID_CONFIG', `config.json: ${what}: ${denominator} does not divide ${numerator}`);
}

const activations: Readonly<Record<string, Activation>> = {
  gelu: 'gelu',
  gelu_new: 'geluTanh',
  gelu_pytorch_tanh: 'geluTanh',
  gelu_fast: 'geluTanh',
  quick_gelu: 'quickGelu',
  silu: 'silu',
  swish: 'silu',
  relu: 'relu',
};

/**
 * The activation that Hugging Face calls `name`.
 * @throws CutlayerError UNSUPPORTED_CONFIG
 */
export function activationOf(key: string, name: string): Activation {
  const activation = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (activation === undefined) throw unsupported(key, name, `one of ${Object.keys(activations).join(', ')}`);
  return activation;
}

/**
 * The special tokens of a config.
 * @throws CutlayerError INVALID_CONFIG when one lies outside the vocabulary.
 */
export function specialTokensOf(config: ConfigJson, vocabSize: number): SpecialTokens {
  const { eos_token_id: eos, bos_token_id: bos, pad_token_id: pad } = parseKeys(specialTokensSchema, config);
  const eosTokenIds = eos == null ? [] : Array.isArray(eos) ? eos : [eos];
  const padTokenId = pad == null || pad < 0 ? null : pad; // -1: none, in some older configs
  for (const id of [...eosTokenIds, bos ?? 0, padTokenId ?? 0]) {
    if (id >= vocabSize)
      throw new CutlayerError('INVALID_CONFIG', `config.json: token id ${id} lies outside the vocabulary of ${vocabSize}`);
  }
  return { eosTokenIds, bosTokenId: bos ?? null, padTokenId };
}
