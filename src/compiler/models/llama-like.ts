/** Families with Llama's config keys and block shape; each states how it differs. */
import { z } from 'zod';
import {
  activationOf,
  type ConfigJson,
  type DefaultTokenIds,
  divide,
  layerCount,
  parseKeys,
  positiveInt,
  positiveNumber,
  refuseUnknownKeys,
} from './config.js';
import { longestSequence, type RopeContext, ropeKeys, ropeOf } from './rope-config.js';
import type { DecoderSpec, PositionSpec } from './spec.js';
import { type Family, layerNames, type WeightNames } from './weights.js';
import { everywhere } from './windows.js';

const shared = z.object({
  vocab_size: positiveInt,
  hidden_size: positiveInt,
  intermediate_size: positiveInt,
  num_hidden_layers: layerCount,
  num_attention_heads: positiveInt,
  /** null: as many as attention heads. */
  num_key_value_heads: positiveInt.nullable(),
  /** null: hidden_size / num_attention_heads. */
  head_dim: positiveInt.nullable(),
  max_position_embeddings: positiveInt,
  rms_norm_eps: positiveNumber,
  tie_word_embeddings: z.boolean(),
});

type SharedKeys = Readonly<z.infer<typeof shared>>;

/** The values that transformers takes for keys that a Llama's config lacks. */
const llamaDefaults: SharedKeys = {
  vocab_size: 32000,
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: null,
  head_dim: null,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
};

/** The shared spec of Llama-like families, before a family's own changes. */
export type LlamaLikeSpec = DecoderSpec & { readonly position: Extract<PositionSpec, { kind: 'rope' }> };

/** One Llama-like family. `Keys` are its own keys, beside the shared ones and rope's. */
export interface LlamaLike<Keys extends z.ZodRawShape> {
  readonly name: string;
  /** Its defaults that differ from {@link llamaDefaults Llama's}. */
  readonly defaults?: Partial<SharedKeys>;
  /** Llama's by default. */
  readonly tokenIds?: DefaultTokenIds;
  readonly keys: Keys;
  /** Keys of its own that change nothing. */
  readonly harmless?: readonly string[];
  /** The key that names the activation; `hidden_act` by default. */
  readonly activationKey?: string;
  readonly defaultActivation?: string;
  /** How its rope settings are read. */
  readonly rope?: (read: z.infer<z.ZodObject<Keys>>) => Partial<RopeContext>;
  /** Reads the position, for families without one rope for all blocks. */
  readonly position?: (config: ConfigJson, context: RopeContext) => LlamaLikeSpec['position'];
  /** Keys that {@link position} reads beside rope's. */
  readonly positionKeys?: readonly string[];
  /** The family's changes to the spec. @throws CutlayerError UNSUPPORTED_CONFIG */
  readonly adapt?: (spec: LlamaLikeSpec, read: z.infer<z.ZodObject<Keys>>) => DecoderSpec;
  readonly names?: WeightNames;
}

/** Makes a family from its description. */
export function llamaLike<Keys extends z.ZodRawShape>(family: LlamaLike<Keys>): Family {
  const own = z.object(family.keys);
  const activationKey = family.activationKey ?? 'hidden_act';
  const activationSchema = z.object({ [activationKey]: z.string().default(family.defaultActivation ?? 'silu') });
  const keys = [...Object.keys(shared.shape), ...Object.keys(own.shape), ...ropeKeys, ...(family.positionKeys ?? []), activationKey];
  return {
    name: family.name,
    names: family.names ?? llamaNames,
    tokenIds: family.tokenIds ?? { bos_token_id: 1, eos_token_id: 2 },
    parse(config) {
      refuseUnknownKeys(config, { read: keys, harmless: family.harmless ?? [] }, family.name);
      const read = parseKeys(own, config);
      const context = (headDim: number, maxPositions: number): RopeContext => ({ headDim, maxPositions, ...family.rope?.(read) });
      const activation = parseKeys(activationSchema, config)[activationKey]!;
      const position = family.position ?? ropeOf;
      const keysOfAll = parseKeys(shared, { ...llamaDefaults, ...family.defaults, ...config });
      const spec = sharedSpec(keysOfAll, activationOf(activationKey, activation), (headDim, maxPositions) =>
        position(config, context(headDim, maxPositions)),
      );
      return family.adapt?.(spec, read) ?? spec;
    },
  };
}

function sharedSpec(
  read: SharedKeys,
  activation: DecoderSpec['mlp']['activation'],
  positionOf: (headDim: number, maxPositions: number) => LlamaLikeSpec['position'],
): LlamaLikeSpec {
  const numHeads = read.num_attention_heads;
  const numKvHeads = read.num_key_value_heads ?? numHeads;
  const headDim = read.head_dim ?? divide(read.hidden_size, numHeads, 'hidden_size / num_attention_heads');
  divide(numHeads, numKvHeads, 'num_attention_heads / num_key_value_heads');
  divide(headDim, 2, 'head_dim / 2');
  const position = positionOf(headDim, read.max_position_embeddings);
  return {
    vocabSize: read.vocab_size,
    hiddenSize: read.hidden_size,
    numLayers: read.num_hidden_layers,
    maxPositions: longestSequence(position.rope, read.max_position_embeddings),
    position,
    norm: { kind: 'rmsNorm', epsilon: read.rms_norm_eps, weightOffset: 0, placement: 'before' },
    attention: {
      numHeads,
      numKvHeads,
      headDim,
      projections: 'split',
      qkvBias: false,
      outputBias: false,
      queryKeyNorm: 'none',
      scale: 1 / Math.sqrt(headDim),
      softcap: null,
      windows: everywhere(read.num_hidden_layers, null),
    },
    mlp: { kind: 'gated', projections: 'split', intermediateSize: read.intermediate_size, activation, bias: false },
    linearLayout: 'outIn',
    residualScale: 1,
    tiedHead: read.tie_word_embeddings,
    embedScale: 1,
    promptScale: 1,
    logitScale: 1,
    logitSoftcap: null,
  };
}

/** Llama's names; a family with other weights adds or replaces some. */
export const llamaNames: WeightNames = {
  model: { embedTokens: 'model.embed_tokens.weight', finalNorm: 'model.norm.weight', head: 'lm_head.weight' },
  block: {
    ...layerNames({
      attentionNorm: 'model.layers.{layer}.input_layernorm',
      query: 'model.layers.{layer}.self_attn.q_proj',
      key: 'model.layers.{layer}.self_attn.k_proj',
      value: 'model.layers.{layer}.self_attn.v_proj',
      attentionOutput: 'model.layers.{layer}.self_attn.o_proj',
      mlpNorm: 'model.layers.{layer}.post_attention_layernorm',
      mlpGate: 'model.layers.{layer}.mlp.gate_proj',
      mlpUp: 'model.layers.{layer}.mlp.up_proj',
      mlpDown: 'model.layers.{layer}.mlp.down_proj',
    }),
    queryNorm: 'model.layers.{layer}.self_attn.q_norm.weight',
    keyNorm: 'model.layers.{layer}.self_attn.k_norm.weight',
  },
  optionalPrefix: 'model.',
  ignored: [/^model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq$/],
};
