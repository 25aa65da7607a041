/** The client's part beside an imported graph: embedding, LM head and perhaps the final norm. */
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { type ConfigJson, parseKeys, positiveInt, type ReadTokens, specialTokensOf, unsupported } from './config.js';
import { llama } from './families/llama.js';
import { describeModel, isFamily, type ModelDescription, parseConfig } from './registry.js';
import type { DecoderSpec } from './spec.js';
import { tensorNames } from './tensor-names.js';
import { type ModelRole, type Weight, type WeightNames, weightOf } from './weights.js';

/** Which side applies a step that must happen once. */
export type Side = 'bundle' | 'backbone';

/** What the caller states about the parts outside the graph. */
export interface OutsideOptions {
  /** Where the final norm is applied; required if the directory holds one. */
  readonly finalNorm?: Side | undefined;
  /** Where embeddings are scaled; required if the family's model scales embeddings from outside. */
  readonly embedScale?: Side | undefined;
  /** The tensor that embeds tokens; if given, the config's family is ignored. */
  readonly embedTensor?: string | undefined;
  readonly headTensor?: string | undefined;
  /** The tensor of the head's bias; by default the one beside the head, if there is one. */
  readonly headBias?: string | undefined;
  /** Factor on the logits; required if the config of an unknown family has one. */
  readonly logitScale?: number | undefined;
  /** Longest sequence; by default the config's. */
  readonly maxPositions?: number | undefined;
}

/** Tensors of a directory, by name. */
export type TensorShapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

const EMBEDDINGS = /(^|\.)(embed_tokens|wte|word_embeddings|tok_embeddings|embed_in|token_embedding)\.weight$/;
const HEADS = /(^|\.)(lm_head|embed_out)\.weight$/;
const FINAL_NORMS = /^([a-z_]+\.){0,3}(norm|ln_f|norm_f|final_layernorm|final_layer_norm|final_norm)\.weight$/;

const generic = z.object({
  vocab_size: positiveInt.nullish(),
  hidden_size: positiveInt.nullish(),
  n_embd: positiveInt.nullish(),
  d_model: positiveInt.nullish(),
  max_position_embeddings: positiveInt.nullish(),
  n_positions: positiveInt.nullish(),
  max_seq_len: positiveInt.nullish(),
  tie_word_embeddings: z.boolean().default(true),
});

/** Config keys of a factor on the logits, or of a divisor. */
const SCALES_LOGITS = ['logits_scaling', 'logit_scale', 'lm_head_multiplier', 'output_multiplier_scale'];

/** Config keys that change embedding or head in a way that is unknown for an unknown family. */
const CHANGES_THE_ENDS = [
  'final_logit_softcapping',
  'embedding_multiplier',
  'embedding_multiplier_scale',
  'scale_embedding',
  'scale_emb',
  'embed_scale',
];

/** Config keys of the embedding width; another width means a projection between. */
const EMBEDDING_WIDTHS = ['word_embed_proj_dim', 'embedding_size', 'embed_dim'];

/**
 * Describes the parts outside the graph as a model without blocks.
 * @param hiddenSize of the graph; the directory's must be equal
 * @throws CutlayerError INVALID_CONFIG, UNSUPPORTED_CONFIG, MISSING_TENSOR, INVALID_SHAPE and what
 *   {@link describeModel} throws
 */
export function describeOutside(configText: string, tensors: TensorShapes, hiddenSize: number, options: OutsideOptions): ModelDescription {
  const config = parseConfig(configText);
  const { model_type: modelType } = config;
  const known = options.embedTensor === undefined && typeof modelType === 'string' && isFamily(modelType);
  const parts = known ? knownFamily(configText, tensors, options) : anyFamily(config, tensors, options);
  const { spec, weights, names, read } = parts;
  if (spec.hiddenSize !== hiddenSize)
    throw new CutlayerError('INVALID_SHAPE', `config.json: hidden size: the graph's is ${hiddenSize}, the directory's ${spec.hiddenSize}`);
  return {
    config,
    family: { name: 'onnx', names: { model: names, block: {}, ignored: [] }, tokenIds: {}, parse: () => spec },
    spec: { ...spec, maxPositions: options.maxPositions ?? spec.maxPositions },
    weights: { all: weights, model: (role) => weightOf(weights, role, 'bundle'), block: (_, role) => weightOf(weights, role, 'bundle') },
    ...read,
  };
}

interface Parts {
  readonly spec: DecoderSpec;
  readonly weights: readonly Weight[];
  /** transformers' names of embedding and head. */
  readonly names: WeightNames['model'];
  readonly read: ReadTokens;
}

/** A known family describes its embedding, norm and head. */
function knownFamily(configText: string, tensors: TensorShapes, options: OutsideOptions): Parts {
  for (const [flag, value] of Object.entries({ '--head-bias': options.headBias, '--logit-scale': options.logitScale })) {
    if (value !== undefined)
      throw new CutlayerError(
        'INVALID_CONFIG',
        `${flag}: the family of config.json says what its head does; leave it out, or give --embed-tensor`,
      );
  }
  const { spec, weights, family, specialTokens, notes } = describeModel(configText);
  const names = tensorNames(family.names, tensors.keys());
  const held = (name: string): string | undefined => names.get(name);
  const roles: readonly ModelRole[] = ['embedTokens', 'finalNorm', 'finalNormBias', 'head'];
  const norm = family.names.model.finalNorm;
  const normedBelow = finalNormSide(norm === undefined ? undefined : held(norm), options) === 'backbone';
  const wanted = weights.all.filter(({ role, layer }) => layer === undefined && roles.some((known) => known === role));
  const used = wanted.filter(({ role }) => !normedBelow || !role.startsWith('finalNorm'));
  return {
    names: family.names.model,
    read: { specialTokens, notes },
    spec: {
      ...spec,
      ...scales(spec, family.name, options),
      ...(normedBelow && { normedBelow }),
      position: { kind: 'learned' },
    },
    weights: used.map((weight) => {
      const named = weight.role === 'head' && options.headTensor !== undefined ? options.headTensor : weight.name;
      return found(tensors, held(named) ?? named, weight.role as ModelRole, weight.shape);
    }),
  };
}

/** A family's scales; a graph may already scale the embeddings it is given. */
function scales(spec: DecoderSpec, family: string, { embedScale }: OutsideOptions): Pick<DecoderSpec, 'embedScale' | 'promptScale'> {
  if (spec.promptScale === 1) {
    if (embedScale !== 'backbone') return spec;
    throw new CutlayerError(
      'INVALID_CONFIG',
      `--embed-scale: a ${family} scales in its token embedding, which the bundle holds; leave it out`,
    );
  }
  if (embedScale === undefined)
    throw new CutlayerError(
      'INVALID_CONFIG',
      `--embed-scale: a ${family} multiplies the embeddings that it is given by ${spec.promptScale}; say backbone where the graph does so (an export of the model from inputs_embeds), bundle where it begins after it`,
    );
  return embedScale === 'bundle' ? spec : { embedScale: 1, promptScale: 1 };
}

/** An unknown family: tensors by usual or given names; nothing is scaled or normed. */
function anyFamily(config: ConfigJson, tensors: TensorShapes, options: OutsideOptions): Parts {
  const says = (key: string): boolean => ![undefined, null, false, 1].includes(config[key] as undefined); // a value of any type
  for (const key of CHANGES_THE_ENDS.filter(says))
    throw unsupported(key, config[key], 'nothing: it may change what embedding or head compute, in a family that is not known');
  for (const key of SCALES_LOGITS.filter((name) => options.logitScale === undefined && says(name)))
    throw unsupported(key, config[key], 'the factor on the logits to be said, as the family is not known: --logit-scale X (1 for none)');
  const read = parseKeys(generic, config);
  const embed = options.embedTensor ?? only(tensors, EMBEDDINGS, 'token embedding', '--embed-tensor');
  if (embed === undefined)
    throw new CutlayerError('MISSING_TENSOR', 'checkpoint: holds no token embedding by a usual name; say which: --embed-tensor NAME');
  const head = options.headTensor ?? only(tensors, HEADS, 'LM head', '--head-tensor');
  const tied = head === undefined || (read.tie_word_embeddings && config.tie_word_embeddings === true && options.headTensor === undefined);
  if (head === undefined && !read.tie_word_embeddings)
    throw new CutlayerError(
      'MISSING_TENSOR',
      'checkpoint: holds no LM head by a usual name and config.json does not tie it; say which: --head-tensor NAME',
    );
  const beside = (head ?? 'lm_head.weight').replace(/weight$/, 'bias');
  const bias = options.headBias ?? (beside !== head && tensors.has(beside) ? beside : undefined);
  const [norm] = [...tensors.keys()].filter((name) => FINAL_NORMS.test(name));
  if (finalNormSide(norm, options) === 'bundle')
    throw new CutlayerError(
      'UNSUPPORTED_CONFIG',
      `--final-norm bundle: how ${norm ?? 'the norm'} is applied is known for known families only, not for ${JSON.stringify(config.model_type ?? null).slice(0, 64)}; export the graph with its final norm and say --final-norm backbone`,
    );
  const shape = tensors.get(embed)?.shape ?? [];
  const [vocabSize = 0, hiddenSize = 0] = shape;
  const stated = read.hidden_size ?? read.n_embd ?? read.d_model;
  if (shape.length !== 2 || (stated != null && stated !== hiddenSize) || (read.vocab_size != null && read.vocab_size !== vocabSize))
    throw new CutlayerError(
      'INVALID_SHAPE',
      `checkpoint: ${embed}: expected [${read.vocab_size ?? 'vocabulary'}, ${stated ?? 'hidden size'}], got [${shape.join(', ')}]`,
    );
  for (const key of EMBEDDING_WIDTHS) {
    if (config[key] != null && config[key] !== hiddenSize) throw unsupported(key, config[key], `${hiddenSize}, the hidden size`);
  }
  const maxPositions = options.maxPositions ?? read.max_position_embeddings ?? read.n_positions ?? read.max_seq_len;
  if (maxPositions == null)
    throw new CutlayerError('INVALID_CONFIG', 'config.json: says no max_position_embeddings; say the longest sequence: --max-positions N');
  const weights = [found(tensors, embed, 'embedTokens', [vocabSize, hiddenSize])];
  if (!tied) weights.push(found(tensors, head!, 'head', [vocabSize, hiddenSize]));
  if (bias !== undefined) weights.push(found(tensors, bias, 'headBias', [vocabSize]));
  const names = { embedTokens: embed, head: head ?? 'lm_head.weight' };
  return {
    spec: {
      ...bareSpec({ vocabSize, hiddenSize, maxPositions, tiedHead: tied }),
      logitScale: options.logitScale ?? 1,
      ...(bias !== undefined && { headBias: true }),
    },
    weights,
    names,
    read: specialTokensOf(config, vocabSize, {}),
  };
}

/** The one tensor with a usual name. */
function only(tensors: TensorShapes, names: RegExp, what: string, flag: string): string | undefined {
  const matching = [...tensors.keys()].filter((name) => names.test(name));
  if (matching.length <= 1) return matching[0];
  throw new CutlayerError(
    'INVALID_CONFIG',
    `${flag}: several tensors look like the ${what}: ${matching.slice(0, 5).join(', ')}; say which`,
  );
}

function finalNormSide(held: string | undefined, { finalNorm }: OutsideOptions): Side {
  if (finalNorm !== undefined) return finalNorm;
  if (held === undefined) return 'backbone';
  throw new CutlayerError(
    'INVALID_CONFIG',
    `--final-norm: the directory holds a final norm, ${held}; say where it is applied: backbone where the graph's output is normed already (torch exports of last_hidden_state are), bundle where the graph ends before it`,
  );
}

function found(tensors: TensorShapes, name: string, role: ModelRole, wanted: readonly number[]): Weight {
  const shape = tensors.get(name)?.shape;
  if (shape === undefined) throw new CutlayerError('MISSING_TENSOR', `checkpoint: lacks ${name}, the ${role} of the client bundle`);
  if (shape.length !== wanted.length || shape.some((dim, axis) => dim !== wanted[axis]))
    throw new CutlayerError('INVALID_SHAPE', `checkpoint: ${name}: expected [${wanted.join(', ')}], got [${shape.join(', ')}]`);
  return { role, name, shape: wanted };
}

/** The spec of a model without blocks: Llama's; what it states about blocks is never read. */
function bareSpec({ vocabSize, hiddenSize, maxPositions, tiedHead }: Ends): DecoderSpec {
  const ends = { vocab_size: vocabSize, hidden_size: hiddenSize, tie_word_embeddings: tiedHead };
  const spec = llama.parse({ ...ends, num_hidden_layers: 1, num_attention_heads: 1, head_dim: 2 });
  return { ...spec, maxPositions, normedBelow: true, position: { kind: 'learned' } };
}

type Ends = Pick<DecoderSpec, 'vocabSize' | 'hiddenSize' | 'maxPositions' | 'tiedHead'>;
