/** The linear layers that LoRA may change: those of the client's blocks, and the LM head. */
import { CutlayerError } from '../../../src/errors.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { AdapterModel, ClientBlockWeight } from './context.js';

export interface LoraTarget {
  /** transformers' name of the module, e.g. `model.layers.0.self_attn.q_proj` or `lm_head`. */
  readonly module: string;
  /** The block weight; absent for the LM head. */
  readonly weight?: ClientBlockWeight;
  readonly inputs: number;
  readonly outputs: number;
}

/** How strongly an update counts. */
export interface LoraScale {
  readonly alpha: number;
  /** alpha / sqrt(rank) in place of alpha / rank. @see arXiv:2312.03732 */
  readonly rankStabilized?: boolean;
}

/** One adapted layer: its update is scale · B A. */
export interface LoraLayer {
  readonly target: LoraTarget;
  /** [rank, inputs] */
  readonly a: Tensor<'float32'>;
  /** [outputs, rank] */
  readonly b: Tensor<'float32'>;
}

type Held = Pick<AdapterModel, 'blockWeights' | 'dims' | 'family' | 'linearLayout' | 'modules' | 'vocabSize'>;

/** LoRA's default layers: query and value, or the fused projection that holds them. */
const DEFAULT_ROLES = ['query', 'value', 'qkv'];

/** What a client without blocks can do. An imported graph is one block and cannot be cut. */
export function askForBlocks({ family }: Pick<AdapterModel, 'family'>): string {
  if (family === 'onnx') return 'its backbone is an imported graph, which cannot be cut: use another method';
  return 'ask the vendor for a cut with --bottom or --top';
}

/** transformers' name of the module that a weight belongs to. */
export function moduleOf(name: string): string {
  return name.replace(/\.(weight|bias)$/, '');
}

/** Whether `target` is the module's name or its end, as PEFT matches `target_modules`. */
export function matchesModule(module: string, target: string): boolean {
  return module === target || module.endsWith(`.${target}`);
}

/** Every linear layer that the client holds: of its blocks in order, then the LM head. */
export function linearTargets({ blockWeights, dims, linearLayout, modules, vocabSize }: Held): readonly LoraTarget[] {
  const inBlocks = blockWeights.flatMap((weight): LoraTarget[] => {
    const [first, second] = weight.shape;
    if (first === undefined || second === undefined || weight.shape.length !== 2) return [];
    const [outputs, inputs] = linearLayout === 'outIn' ? [first, second] : [second, first];
    return [{ module: moduleOf(weight.name), weight, inputs, outputs }];
  });
  return [...inBlocks, { module: modules.head, inputs: dims.hiddenSize, outputs: vocabSize }];
}

/**
 * The layers that match a list of module suffixes; empty: query and value of the client's blocks.
 * @throws CutlayerError INVALID_ARGUMENT for an unknown name, a vendor's block or a nonlinear layer
 */
export function loraTargets(model: Held, targets: readonly string[]): readonly LoraTarget[] {
  const held = linearTargets(model);
  if (targets.length === 0) {
    const chosen = held.filter(({ weight }) => weight !== undefined && DEFAULT_ROLES.includes(weight.role));
    if (chosen.length > 0) return chosen;
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `lora: this bundle holds no blocks; add ${model.modules.head} to --targets (targets)${model.family === 'onnx' ? '' : `, or ${askForBlocks(model)}`}`,
    );
  }
  for (const target of targets) {
    if (held.some(({ module }) => matchesModule(module, target))) continue;
    throw new CutlayerError('INVALID_ARGUMENT', `targets: ${target}: ${whyNot(model, held, target)}`);
  }
  return held.filter(({ module }) => targets.some((target) => matchesModule(module, target)));
}

/** The block in a module's name: its first number between dots. */
export function layerOf(module: string): number | undefined {
  const layer = /\.(\d+)(\.|$)/.exec(module)?.[1];
  return layer === undefined ? undefined : Number(layer);
}

/** `layers 1-2 are the vendor's`; undefined where the client holds the layer or there is none. */
export function vendorsLayer({ dims: { bottom, backbone } }: Pick<AdapterModel, 'dims'>, layer: number): string | undefined {
  if (layer < bottom || layer >= bottom + backbone) return undefined;
  return backbone === 1 ? `layer ${bottom} is the vendor's` : `layers ${bottom}-${bottom + backbone - 1} are the vendor's`;
}

/** Why the client holds no layer of this name. */
export function whyNot(model: Held, held: readonly LoraTarget[], target: string): string {
  const layer = layerOf(target);
  const vendors = layer === undefined ? undefined : vendorsLayer(model, layer);
  if (vendors !== undefined) return `${vendors}; train what the client holds, or ask for a cut with --bottom or --top that holds it`;
  if (model.blockWeights.some(({ name }) => matchesModule(moduleOf(name), target))) return 'is no linear layer; LoRA adapts linear layers';
  const inBlocks = held.flatMap(({ module, weight }) => (weight === undefined ? [] : module.replace(/^.*?\.\d+\./, '')));
  const names = [...new Set([...inBlocks, model.modules.head])].join(', ');
  const none = inBlocks.length === 0 ? ' (the vendor holds all blocks)' : '';
  return `the client holds no such layer; expected the end of a name among ${names}${none}`;
}
