/**
 * Prefix tuning: trainable keys and values of P virtual tokens in every block, without own rows.
 * @see arXiv:2101.00190; positions and layout as PEFT's PREFIX_TUNING without projection
 */
import { CutlayerError } from '../../../src/errors.js';
import { normalTensor, seeded } from '../../../src/tensor/random.js';
import { expectShape } from '../../../src/tensor/shape.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { AdapterDims, Parameter, StepCotangents, StepParts } from './adapter.js';
import type { AdapterContext, AdapterModel } from './context.js';
import type { Method } from './method.js';
import { MethodAdapter } from './method-adapter.js';
import { methodTable } from './method-table.js';
import { zeroGradients } from './parameters.js';
import { loadPrefixEmbeddings, savePrefixTuning } from './peft.js';
import { ProjectedPrefix } from './prefix-projection.js';

/**
 * Default spread of new keys and values. The client does not see that of real tokens (3 to 5 in the
 * demo's backbone, often less elsewhere). Nearer to zero, all virtual tokens get one gradient.
 * Wider, as PEFT's N(0, 1), they disturb a model with ten times smaller keys and values.
 */
const INITIAL_STD = 0.2;

/** Keys (after rotary embedding) and values of P virtual tokens in every block of the model. */
export class Prefix extends MethodAdapter<readonly [Parameter]> {
  readonly method = 'prefix-tuning';
  override readonly spanKind = 'prefix';

  /** @param values [all layers, 2, P, numKvHeads, headDim] @throws CutlayerError INVALID_SHAPE */
  constructor(model: AdapterModel, values: Tensor<'float32'>) {
    expectShape('prefix', values.shape, prefixShape(model.dims, '*'));
    super(model, [{ name: 'embedding.weight', value: values }]);
  }

  /** Makes a new prefix of normal values. @throws CutlayerError INVALID_ARGUMENT */
  static create(model: AdapterModel, numVirtualTokens: number, how: { readonly seed: number; readonly std?: number }): Prefix {
    if (!Number.isSafeInteger(numVirtualTokens) || numVirtualTokens < 1) {
      throw new CutlayerError('INVALID_ARGUMENT', `prefix: the number of virtual tokens must be at least 1, got ${numVirtualTokens}`);
    }
    const shape = prefixShape(model.dims, numVirtualTokens);
    return new Prefix(model, normalTensor(seeded(how.seed, 0x5058), shape, 0, how.std ?? INITIAL_STD));
  }

  override get numVirtualTokens(): number {
    return this.parameters[0].value.shape[2]!;
  }

  async parts(): Promise<StepParts> {
    return { prefix: this.parameters[0].value };
  }

  async pullBack({ prefix }: StepCotangents): Promise<readonly Float32Array[]> {
    return prefix === undefined ? zeroGradients(this.parameters) : [prefix.data];
  }

  protected write(dir: string): Promise<void> {
    return savePrefixTuning(dir, this.parameters[0].value, this.model.dims);
  }
}

export const prefixTuning: Method = {
  ...methodTable['prefix-tuning'],
  method: 'prefix-tuning',
  peftType: 'PREFIX_TUNING',
  fills: ['prefix'],
  async create(context, { virtualTokens, init = 'RANDOM', initText, prefixProjection, encoderHidden, seed }) {
    const { bundle } = context;
    if (bundle.dims.numKvHeads === 0) {
      throw new CutlayerError(
        'ADAPTER_UNSUPPORTED',
        'prefix-tuning: this backbone was imported from a graph without inputs for keys and values; use prompt-tuning or p-tuning',
      );
    }
    if (init === 'SAMPLE_VOCAB')
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        'prefix-tuning: init SAMPLE_VOCAB is for rows of text; expected RANDOM, or TEXT for real keys and values',
      );
    if (prefixProjection && init === 'TEXT')
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        'prefix-tuning: a projection cannot begin from real keys and values; leave out --prefix-projection or --init TEXT',
      );
    if (prefixProjection) return ProjectedPrefix.create(bundle, virtualTokens, encoderHidden ?? bundle.dims.hiddenSize, seed);
    if (init === 'TEXT') return new Prefix(bundle, await textPrefix(context, virtualTokens, initText));
    return Prefix.create(bundle, virtualTokens, { seed });
  },
  load: async ({ bundle }, dir, config) => new Prefix(bundle, await loadPrefixEmbeddings(dir, config, bundle.dims)),
};

/**
 * First values [layers, 2, P, numKvHeads, headDim]: the model's keys and values of a text, as if it
 * had read it. Keys hold positions, so tokens are never repeated: the text must be long enough.
 * @param text Its first P tokens count; special tokens only as written in it.
 * @see PEFT 0.21 `tuners/cartridge/utils.py` initialize_kv_prefix_from_text; arXiv:2101.00190 sec.
 *   4.3
 * @throws CutlayerError INVALID_ARGUMENT (text missing or short, no gateway), PREFIX_INIT_REFUSED
 */
async function textPrefix(
  { bundle, keyValues }: AdapterContext,
  numVirtualTokens: number,
  text: string | undefined,
): Promise<Tensor<'float32'>> {
  if (text === undefined) throw new CutlayerError('INVALID_ARGUMENT', 'init TEXT: pass the text with --init-text (initText)');
  if (keyValues === undefined)
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      'prefix-tuning: init TEXT asks the gateway for keys and values; connect to one, or use init RANDOM',
    );
  const tokenIds = bundle.encode(text);
  if (tokenIds.length < numVirtualTokens)
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `prefix-tuning: the init text has ${tokenIds.length} tokens, ${numVirtualTokens} virtual tokens want as many; ` +
        `give a longer text or ask for ${tokenIds.length} virtual tokens`,
    );
  return keyValues(tokenIds.slice(0, numVirtualTokens));
}

/** The shape of a prefix of P virtual tokens for the whole model. */
export function prefixShape<P extends number | '*'>(dims: AdapterDims, numVirtualTokens: P): readonly (number | P)[] {
  return [dims.bottom + dims.backbone + dims.top, 2, numVirtualTokens, dims.numKvHeads, dims.headDim];
}
