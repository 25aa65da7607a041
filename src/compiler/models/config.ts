/**
 * What the families' config parsers share. A config is refused if Cutlayer would compute
 * differently. Every key must be read, harmless or switched off (null, false, 0 or empty). All
 * others are refused by name.
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

/** Token ids with a meaning; `eos_token_id` may be a list. */
const tokenIds = z.object({
  eos_token_id: z.union([z.int(), z.array(z.int()).max(1024)]).nullish(),
  bos_token_id: z.int().nullish(),
  pad_token_id: z.int().nullish(),
});

/** Token ids for keys that a config lacks. */
export type DefaultTokenIds = { readonly [K in keyof z.infer<typeof tokenIds>]?: number };

/** Keys that change nothing in what the model computes, in any family. */
const harmless = new Set(
  `architectures model_type transformers_version torch_dtype dtype use_cache initializer_range attention_dropout hidden_dropout
  eos_token_id bos_token_id pad_token_id sep_token_id decoder_start_token_id unk_token_id task_specific_params output_attentions output_hidden_states
  cache_implementation return_dict return_dict_in_generate output_scores problem_type id2label label2id finetuning_task gradient_checkpointing name_or_path
  chunk_size_feed_forward tokenizer_class prefix keys_to_ignore_at_inference max_length min_length do_sample temperature top_k top_p
  repetition_penalty no_repeat_ngram_size num_beams early_stopping pretraining_tp
  num_labels num_beam_groups num_return_sequences diversity_penalty length_penalty typical_p max_new_tokens torchscript use_bfloat16
  model_parallel tf_legacy_loss model_max_length is_decoder language license attn_implementation use_flash_attn use_flash_attention
  use_flash_attention_2 bos_token eos_token pad_token unk_token
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
  const unknown = Object.entries(config).filter(
    ([key, value]) =>
      !(allowed.has(key) || harmless.has(key) || key.startsWith('_') || isOff(value) || (key === 'layer_types' && isFullAttention(value))),
  );
  if (unknown.length === 0) return;
  const which = unknown.length === 1 ? 'it is' : 'they are';
  throw unsupported(
    unknown.map(([key]) => key).join(', '),
    unknown.length === 1 ? unknown[0]![1] : Object.fromEntries(unknown),
    `nothing: ${which} unknown in the family ${family} and may change what the model computes`,
  );
}

/** Whether a value switches off what its key is about. */
function isOff(value: unknown): boolean {
  return value === null || value === false || value === 0 || (typeof value === 'object' && Object.keys(value).length === 0);
}

/** Whether `layer_types` is full attention for every block, which the decoder computes anyway. */
function isFullAttention(value: unknown): boolean {
  return Array.isArray(value) && value.every((type) => type === 'full_attention');
}

/** The error for a config that is understood but not supported. */
export function unsupported(key: string, value: unknown, expected: string): CutlayerError {
  return new CutlayerError(
    'UNSUPPORTED_CONFIG',
    `config.json: ${key.slice(0, 400)}: expected ${expected}; got ${(JSON.stringify(value) ?? 'nothing').slice(0, 80)}`,
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

/** Token ids with a meaning, and what the vendor should know about them. */
export interface ReadTokens {
  readonly specialTokens: SpecialTokens;
  readonly notes: readonly string[];
}

/**
 * The special tokens of a config. An id outside the vocabulary stands for no token, as -1 does: no
 * text has it, and no model generates it.
 * @throws CutlayerError INVALID_CONFIG when one is no integer
 */
export function specialTokensOf(config: ConfigJson, vocabSize: number, defaults: DefaultTokenIds): ReadTokens {
  const stated = parseKeys(tokenIds, config);
  const { eos_token_id: eos, bos_token_id: bos, pad_token_id: pad } = { ...defaults, ...stated };
  const inside = (id: number | null | undefined): id is number => id != null && id >= 0 && id < vocabSize;
  const specialTokens = {
    eosTokenIds: (Array.isArray(eos) ? eos : [eos]).filter(inside),
    bosTokenId: inside(bos) ? bos : null,
    padTokenId: inside(pad) ? pad : null,
  };
  const outside = Object.values(stated)
    .flat()
    .filter((id) => id != null && id >= vocabSize);
  const notes = [...new Set(outside)].map(
    (id) => `config.json: token id ${id} lies outside the vocabulary of ${vocabSize} and is left out`,
  );
  return { specialTokens, notes };
}
