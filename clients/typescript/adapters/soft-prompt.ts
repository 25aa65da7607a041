/**
 * Prompt tuning: P trainable rows before the text, in embedding space.
 * @see arXiv:2104.08691 sec. 2; initial values after sec. 3.2
 */
import { CutlayerError } from '../../../src/errors.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { seeded } from '../random.js';
import type { AdapterDims, Feeds } from './adapter.js';
import { savePromptTuning } from './peft.js';
import type { SpanAdapter as Adapter, SpanCotangents } from './span-adapter.js';

/** How a new soft prompt gets its values. */
export type SoftPromptInit =
  /** Embeddings of tokens drawn from the vocabulary: the default, PEFT's SAMPLE_VOCAB. */
  | { readonly init: 'SAMPLE_VOCAB'; readonly seed: number }
  /** Embeddings of a text's tokens, repeated or cut to P. */
  | { readonly init: 'TEXT'; readonly text: string }
  /** Normal with the vocabulary's own spread (PEFT draws N(0, 1), which trains badly). */
  | { readonly init: 'RANDOM'; readonly seed: number };

/** Where initial values come from: a client bundle. */
export interface EmbeddingSource {
  readonly vocabSize: number;
  readonly dims: AdapterDims;
  /** Token ids of a text without special tokens. */
  encode(text: string): readonly number[];
  /** Rows [ids, d] of the embedding. */
  embed(tokenIds: readonly number[]): Promise<Tensor<'float32'>>;
}

/** Vocabulary rows whose spread RANDOM copies. */
const SPREAD_SAMPLE = 512;

/** P trainable rows before the text. */
export class SoftPrompt implements Adapter {
  readonly kind = 'softPrompt';
  readonly parameter: Tensor<'float32'>;
  readonly #dims: AdapterDims;

  /** @param parameter [P, hiddenSize]. @throws CutlayerError INVALID_SHAPE */
  constructor(dims: AdapterDims, parameter: Tensor<'float32'>) {
    const [rows, width] = parameter.shape;
    if (parameter.shape.length !== 2 || rows === undefined || rows < 1 || width !== dims.hiddenSize) {
      throw new CutlayerError('INVALID_SHAPE', `soft prompt: expected [P, ${dims.hiddenSize}], got [${parameter.shape.join(', ')}]`);
    }
    this.#dims = dims;
    this.parameter = parameter;
  }

  /** Makes a new soft prompt of P rows. @throws CutlayerError INVALID_ARGUMENT */
  static async create(source: EmbeddingSource, numVirtualTokens: number, how: SoftPromptInit): Promise<SoftPrompt> {
    if (!Number.isSafeInteger(numVirtualTokens) || numVirtualTokens < 1) {
      throw new CutlayerError('INVALID_ARGUMENT', `soft prompt: the number of virtual tokens must be at least 1, got ${numVirtualTokens}`);
    }
    const initial = await initialRows(source, numVirtualTokens, how);
    return new SoftPrompt(source.dims, f32([numVirtualTokens, source.dims.hiddenSize], initial));
  }

  get numVirtualTokens(): number {
    return this.parameter.shape[0]!;
  }

  get promptRows(): number {
    return this.numVirtualTokens;
  }

  bottomFeeds(): Feeds {
    return { softPrompt: this.parameter };
  }

  backboneValue(bottomOutputs: Feeds | undefined): Tensor<'float32'> {
    return (bottomOutputs?.softPromptHidden as Tensor<'float32'> | undefined) ?? this.parameter;
  }

  topFeeds(promptHidden: Tensor<'float32'>): Feeds {
    return { softPromptHidden: promptHidden };
  }

  parameterCotangent({ bottom, backbone }: SpanCotangents): Float32Array {
    const through = bottom?.softPromptCotangent ?? backbone;
    return through.data as Float32Array;
  }

  save(dir: string): Promise<void> {
    return savePromptTuning(dir, this.parameter, this.#dims);
  }
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
