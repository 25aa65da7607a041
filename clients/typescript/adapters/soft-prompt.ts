/**
 * Prompt tuning: P trainable rows before the text, in embedding space.
 * @see arXiv:2104.08691 sec. 2; initial values after sec. 3.2
 */
import { CutlayerError } from '../../../src/errors.js';
import { seeded } from '../../../src/tensor/random.js';
import { expectShape } from '../../../src/tensor/shape.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { Parameter, StepCotangents, StepParts } from './adapter.js';
import type { AdapterModel } from './context.js';
import type { Method } from './method.js';
import { MethodAdapter } from './method-adapter.js';
import { methodTable } from './method-table.js';
import { scaled, zeroGradients } from './parameters.js';
import { loadPromptEmbeddings, savePromptTuning } from './peft.js';

/** How a new soft prompt gets its values. */
export type SoftPromptInit =
  /** Embeddings of tokens drawn from the vocabulary: the default, PEFT's SAMPLE_VOCAB. */
  | { readonly init: 'SAMPLE_VOCAB'; readonly seed: number }
  /** Embeddings of a text's tokens, repeated or cut to P. */
  | { readonly init: 'TEXT'; readonly text: string }
  /** Normal with the vocabulary's own spread (PEFT draws N(0, 1), which trains badly). */
  | { readonly init: 'RANDOM'; readonly seed: number };

/** The part of a client bundle that initial values come from. */
export type EmbeddingSource = Pick<AdapterModel, 'vocabSize' | 'dims' | 'promptScale' | 'encode' | 'embed'>;

/** Vocabulary rows whose spread RANDOM copies. */
const SPREAD_SAMPLE = 512;

export class SoftPrompt extends MethodAdapter<readonly [Parameter]> {
  readonly method = 'prompt-tuning';
  override readonly spanKind = 'softPrompt';

  /** @param rows [P, hiddenSize], before promptScale. @throws CutlayerError INVALID_SHAPE */
  constructor(model: AdapterModel, rows: Tensor<'float32'>) {
    expectShape('soft prompt', rows.shape, ['*', model.dims.hiddenSize]);
    super(model, [{ name: 'embedding.weight', value: rows }]);
  }

  /** Makes a new soft prompt of P rows. @throws CutlayerError INVALID_ARGUMENT */
  static async create(model: AdapterModel, numVirtualTokens: number, how: SoftPromptInit): Promise<SoftPrompt> {
    return new SoftPrompt(model, await initialPrompt(model, numVirtualTokens, how));
  }

  async parts(): Promise<StepParts> {
    return { softPrompt: scaled(this.parameters[0].value, this.model.promptScale) };
  }

  async pullBack({ softPrompt }: StepCotangents): Promise<readonly Float32Array[]> {
    if (softPrompt === undefined) return zeroGradients(this.parameters);
    return [scaled(softPrompt, this.model.promptScale).data];
  }

  protected write(dir: string): Promise<void> {
    return savePromptTuning(dir, this.parameters[0].value, this.model.dims);
  }
}

export const promptTuning: Method = {
  ...methodTable['prompt-tuning'],
  method: 'prompt-tuning',
  peftType: 'PROMPT_TUNING',
  fills: ['softPrompt'],
  create: ({ bundle }, { virtualTokens, init = 'SAMPLE_VOCAB', initText, seed }) =>
    SoftPrompt.create(bundle, virtualTokens, promptInit(init, initText, seed)),
  load: async ({ bundle }, dir, config) => new SoftPrompt(bundle, await loadPromptEmbeddings(dir, config, bundle.dims)),
};

/** The init that settings ask for. @throws CutlayerError INVALID_ARGUMENT when TEXT has no text */
export function promptInit(init: SoftPromptInit['init'], initText: string | undefined, seed: number): SoftPromptInit {
  if (init !== 'TEXT') return { init, seed };
  if (initText !== undefined) return { init, text: initText };
  throw new CutlayerError('INVALID_ARGUMENT', 'init TEXT: pass the text with --init-text (initText)');
}

/** First values [P, hiddenSize], before promptScale. @throws CutlayerError INVALID_ARGUMENT */
export async function initialPrompt(source: EmbeddingSource, count: number, how: SoftPromptInit): Promise<Tensor<'float32'>> {
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new CutlayerError('INVALID_ARGUMENT', `soft prompt: the number of virtual tokens must be at least 1, got ${count}`);
  }
  const rows = await initialRows(source, count, how);
  return scaled(f32([count, source.dims.hiddenSize], rows), 1 / source.promptScale);
}

async function initialRows(source: EmbeddingSource, count: number, how: SoftPromptInit): Promise<Float32Array> {
  if (how.init === 'TEXT') {
    const ids = source.encode(how.text);
    if (ids.length === 0) throw new CutlayerError('INVALID_ARGUMENT', 'soft prompt: init TEXT needs a text with at least one token');
    const rows = await source.embed(Array.from({ length: count }, (_, row) => ids[row % ids.length] as number));
    return rows.data.slice();
  }
  const random = seeded(how.seed, 0x5047);
  const sampled = how.init === 'RANDOM' ? SPREAD_SAMPLE : count;
  const rows = await source.embed(Array.from({ length: sampled }, () => random.integer(source.vocabSize)));
  if (how.init === 'SAMPLE_VOCAB') return rows.data.slice();
  const spread = Math.sqrt(rows.data.reduce((sum, value) => sum + value * value, 0) / rows.data.length);
  return Float32Array.from({ length: count * source.dims.hiddenSize }, () => spread * random.normal());
}
