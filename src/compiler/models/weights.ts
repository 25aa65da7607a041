/**
 * A decoder's weights: the roles of a spec, their shapes, and a family's names for them. A role is
 * the weight's function; a name is the checkpoint's name of it.
 */
import { CutlayerError } from '../../errors.js';
import type { ConfigJson, DefaultTokenIds } from './config.js';
import type { DecoderSpec } from './spec.js';

/** Weights outside the blocks. `head` is absent where it is tied to `embedTokens`. */
export type ModelRole = 'embedTokens' | 'embedPositions' | 'finalNorm' | 'finalNormBias' | 'head' | 'headBias';

/** The layers of a block that may have a bias: the norms of sublayers and the projections. */
export type LayerRole =
  | ('attentionNorm' | 'attentionPostNorm' | 'qkv' | 'query' | 'key' | 'value' | 'attentionOutput')
  | ('mlpNorm' | 'mlpPostNorm' | 'mlpGateUp' | 'mlpGate' | 'mlpUp' | 'mlpDown');

export type BlockRole = LayerRole | `${LayerRole}Bias` | 'queryNorm' | 'keyNorm';

/** A family's names, by role; `{layer}` stands for the block's index. */
export interface WeightNames {
  readonly model: { readonly [R in ModelRole]?: string };
  readonly block: { readonly [R in BlockRole]?: string };
  /** A prefix that bare checkpoints lack, e.g. `transformer.`; the names above include it. */
  readonly optionalPrefix?: string;
  /** The name in the text model of a tensor of a larger one, such as one that reads images. */
  readonly rename?: (tensor: string) => string;
  /** Names of buffers without parameters, which are not packed. */
  readonly ignored: readonly RegExp[];
}

/** A family is data: a parser of its config and the names of its weights. */
export interface Family {
  readonly name: string;
  /** @throws CutlayerError INVALID_CONFIG, UNSUPPORTED_CONFIG, UNSUPPORTED_CHECKPOINT */
  parse(config: ConfigJson): DecoderSpec;
  readonly names: WeightNames;
  /** The ids that transformers takes for keys that a config lacks. */
  readonly tokenIds: DefaultTokenIds;
  /**
   * The config of the text model, in families that read images too.
   * @throws CutlayerError INVALID_CONFIG, UNSUPPORTED_CONFIG
   */
  textConfig?(config: ConfigJson): ConfigJson;
}

/** The names of layers' weights and biases, from the names of their modules. */
export function layerNames(modules: { readonly [R in LayerRole]?: string }): WeightNames['block'] {
  return Object.fromEntries(
    Object.entries(modules).flatMap(([role, module]) => [
      [role, `${module}.weight`],
      [`${role}Bias`, `${module}.bias`],
    ]),
  );
}

export interface Weight {
  readonly role: ModelRole | BlockRole;
  /** The block it belongs to; absent outside the blocks. */
  readonly layer?: number;
  readonly name: string;
  readonly shape: readonly number[];
}

export interface WeightTable {
  readonly all: readonly Weight[];
  /** @throws CutlayerError INVALID_CONFIG when the spec has no such weight; also by `block`. */
  model(role: ModelRole): Weight;
  block(layer: number, role: BlockRole): Weight;
}

type Shapes<Role extends string> = readonly (readonly [Role, readonly number[]])[];

function modelShapes(spec: DecoderSpec): Shapes<ModelRole> {
  const { vocabSize, hiddenSize, maxPositions } = spec;
  const shapes: [ModelRole, readonly number[]][] = [['embedTokens', [vocabSize, hiddenSize]]];
  if (spec.position.kind === 'learned') shapes.push(['embedPositions', [maxPositions, hiddenSize]]);
  shapes.push(['finalNorm', [hiddenSize]]);
  if (spec.norm.kind === 'layerNorm') shapes.push(['finalNormBias', [hiddenSize]]);
  if (!spec.tiedHead) shapes.push(['head', [vocabSize, hiddenSize]]);
  return shapes;
}

function blockShapes(spec: DecoderSpec): Shapes<BlockRole> {
  const { hiddenSize, norm, attention, mlp } = spec;
  const queryWidth = attention.numHeads * attention.headDim;
  const kvWidth = attention.numKvHeads * attention.headDim;
  const shapes: [BlockRole, readonly number[]][] = [];
  const normed = (where: 'before' | 'after', role: LayerRole): void => {
    if (norm.placement !== where && norm.placement !== 'around') return;
    shapes.push([role, [hiddenSize]]);
    if (norm.kind === 'layerNorm') shapes.push([`${role}Bias`, [hiddenSize]]);
  };
  const linear = (role: LayerRole, inputs: number, outputs: number, hasBias: boolean): void => {
    shapes.push([role, spec.linearLayout === 'outIn' ? [outputs, inputs] : [inputs, outputs]]);
    if (hasBias) shapes.push([`${role}Bias`, [outputs]]);
  };
  normed('before', 'attentionNorm');
  if (attention.projections === 'fused') linear('qkv', hiddenSize, queryWidth + 2 * kvWidth, attention.qkvBias);
  else {
    linear('query', hiddenSize, queryWidth, attention.qkvBias);
    linear('key', hiddenSize, kvWidth, attention.qkvBias);
    linear('value', hiddenSize, kvWidth, attention.qkvBias);
  }
  if (attention.queryKeyNorm !== 'none') {
    const whole = attention.queryKeyNorm === 'projection';
    shapes.push(['queryNorm', [whole ? queryWidth : attention.headDim]], ['keyNorm', [whole ? kvWidth : attention.headDim]]);
  }
  linear('attentionOutput', queryWidth, hiddenSize, attention.outputBias);
  normed('after', 'attentionPostNorm');
  normed('before', 'mlpNorm');
  const { intermediateSize } = mlp;
  if (mlp.projections === 'fused') linear('mlpGateUp', hiddenSize, 2 * intermediateSize, mlp.bias);
  else {
    if (mlp.kind === 'gated') linear('mlpGate', hiddenSize, intermediateSize, mlp.bias);
    linear('mlpUp', hiddenSize, intermediateSize, mlp.bias);
  }
  linear('mlpDown', intermediateSize, hiddenSize, mlp.bias);
  normed('after', 'mlpPostNorm');
  return shapes;
}

/**
 * The weights of a spec under a family's names: embeddings, blocks in order, final norm, head.
 * @throws CutlayerError INVALID_CONFIG when the family has no name for a role that the spec has.
 */
export function weightTable(spec: DecoderSpec, names: WeightNames): WeightTable {
  const outside = modelShapes(spec).map(([role, shape]): Weight => ({ role, name: named(names.model[role], role), shape }));
  const inBlock = blockShapes(spec);
  const blocks = Array.from({ length: spec.numLayers }, (_, layer) =>
    inBlock.map(
      ([role, shape]): Weight => ({ role, layer, name: named(names.block[role], role).replace('{layer}', String(layer)), shape }),
    ),
  );
  const isEmbedding = ({ role }: Weight): boolean => role === 'embedTokens' || role === 'embedPositions';
  return {
    all: [...outside.filter(isEmbedding), ...blocks.flat(), ...outside.filter((weight) => !isEmbedding(weight))],
    model: (role) => weightOf(outside, role, 'decoder'),
    block: (layer, role) => weightOf(blocks[layer] ?? [], role, 'decoder'),
  };
}

function named(name: string | undefined, role: string): string {
  if (name !== undefined) return name;
  throw new CutlayerError('INVALID_CONFIG', `weights: this family has no name for ${role}, which its config asks for`);
}

/** @throws CutlayerError INVALID_CONFIG */
export function weightOf(weights: readonly Weight[], role: string, owner: 'decoder' | 'bundle'): Weight {
  const weight = weights.find((candidate) => candidate.role === role);
  if (weight === undefined) throw new CutlayerError('INVALID_CONFIG', `weights: this ${owner} has no ${role}`);
  return weight;
}
