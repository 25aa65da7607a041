/**
 * P-tuning: an encoder makes the rows before the text from P trained rows. It is trained with them
 * and not saved, as in PEFT: its output is a soft prompt. PEFT's encoder_dropout (0 by default) is
 * not implemented. First values are PEFT's: rows N(0, 1), layers as torch draws them. The encoder
 * brings such rows to a spread of about 0.1, each with its own direction. Rows of the table's small
 * spread would come out near its biases. Encoders want a smaller learning rate than bare rows: see
 * the row below.
 * @see arXiv:2103.10385 sec. 3.2; PEFT 0.21 `tuners/p_tuning/model.py`
 */
import { CutlayerError } from '../../../src/errors.js';
import { seeded } from '../../../src/tensor/random.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import { type ClientOptimizations, optimizations } from '../optimizations.js';
import type { FloatFeeds, Parameter, StepCotangents, StepParts } from './adapter.js';
import { writeAdapterFiles } from './adapter-config.js';
import type { AdapterModel } from './context.js';
import { Lstm, type LstmRun, lstmWeights } from './lstm.js';
import type { Method } from './method.js';
import { MethodAdapter } from './method-adapter.js';
import { methodTable } from './method-table.js';
import {
  checkParameters,
  EMBEDDING,
  gradientsOf,
  type ParameterShape,
  scaled,
  torchParameters,
  valuesOf,
  zeroGradients,
} from './parameters.js';
import { loadPromptEmbeddings, promptConfig } from './peft.js';
import { SoftPrompt } from './soft-prompt.js';

/** PEFT's MLP of three linear layers, or a bidirectional LSTM with two behind it. */
export interface PromptEncoderSpec {
  readonly kind: 'MLP' | 'LSTM';
  /** Width of its hidden layers, in each direction of an LSTM. */
  readonly hiddenSize: number;
  /** Of the LSTM; the MLP always has its own. */
  readonly layers: number;
}

const LSTM = 'lstm_head.';

/** The parameters of P-tuning by PEFT's names, in PEFT's order. */
export function promptEncoderParameters(spec: PromptEncoderSpec, numVirtualTokens: number, d: number): readonly ParameterShape[] {
  const H = spec.hiddenSize;
  const linear = (index: number, inWidth: number, outWidth: number): ParameterShape[] => [
    { name: `mlp_head.${index}.weight`, shape: [outWidth, inWidth] },
    { name: `mlp_head.${index}.bias`, shape: [outWidth] },
  ];
  const embedding = { name: EMBEDDING, shape: [numVirtualTokens, d] };
  if (spec.kind === 'MLP') return [embedding, ...linear(0, d, H), ...linear(2, H, H), ...linear(4, H, d)];
  const lstm = lstmWeights(spec.layers, d, H).map(({ name, shape }) => ({ name: LSTM + name, shape }));
  return [embedding, ...lstm, ...linear(0, 2 * H, 2 * H), ...linear(2, 2 * H, d)];
}

export class PTuning extends MethodAdapter {
  readonly method = 'p-tuning';
  override readonly spanKind = 'softPrompt';
  readonly encoder: PromptEncoderSpec;
  readonly #keepsRuns: boolean;
  /** The LSTM's run of the last prompt. */
  #run: LstmRun | undefined;

  /** @param parameters in PEFT's space: before promptScale @throws CutlayerError INVALID_SHAPE */
  constructor(
    model: AdapterModel,
    encoder: PromptEncoderSpec,
    parameters: readonly Parameter[],
    { encoderRuns }: Pick<ClientOptimizations, 'encoderRuns'> = optimizations,
  ) {
    const rows = parameters.find(({ name }) => name === EMBEDDING)?.value.shape[0] ?? 0;
    super(model, checkParameters('p-tuning', promptEncoderParameters(encoder, rows, model.dims.hiddenSize), parameters));
    this.encoder = encoder;
    this.#keepsRuns = encoderRuns;
  }

  /** Makes a new one of P rows. @throws CutlayerError INVALID_ARGUMENT */
  static create(model: AdapterModel, numVirtualTokens: number, encoder: PromptEncoderSpec, seed: number): PTuning {
    const shapes = promptEncoderParameters(encoder, numVirtualTokens, model.dims.hiddenSize);
    const lstmBound = 1 / Math.sqrt(encoder.hiddenSize);
    const parameters = torchParameters(seeded(seed, 0x5054), shapes, (name) => (name.startsWith(LSTM) ? lstmBound : undefined));
    return new PTuning(model, encoder, parameters);
  }

  async parts(): Promise<StepParts> {
    return { softPrompt: scaled(await this.#prompt(), this.model.promptScale) };
  }

  async pullBack({ softPrompt }: StepCotangents): Promise<readonly Float32Array[]> {
    if (softPrompt === undefined) return zeroGradients(this.parameters);
    const promptCotangent = scaled(softPrompt, this.model.promptScale);
    const cotangents = this.encoder.kind === 'MLP' ? await this.#mlpVjp(promptCotangent) : await this.#lstmVjp(promptCotangent);
    return gradientsOf(this.parameters, cotangents);
  }

  protected async write(dir: string): Promise<void> {
    const { kind, hiddenSize, layers } = this.encoder;
    await writeAdapterFiles(
      dir,
      {
        ...promptConfig('P_TUNING', this.numVirtualTokens, this.model.dims),
        encoder_dropout: 0,
        encoder_hidden_size: hiddenSize,
        encoder_num_layers: layers,
        encoder_reparameterization_type: kind,
      },
      { prompt_embeddings: await this.#prompt() },
    );
  }

  get #lstm(): Lstm {
    const weights = this.parameters.filter(({ name }) => name.startsWith(LSTM));
    return new Lstm(this.model, new Map(weights.map(({ name, value }) => [name.slice(LSTM.length), value])), this.encoder.layers);
  }

  /** [P, hiddenSize], before promptScale. */
  async #prompt(): Promise<Tensor<'float32'>> {
    const feeds = valuesOf(this.parameters);
    if (this.encoder.kind === 'MLP') return (await this.model.runMethod('promptEncoderMlp', feeds)).prompt!;
    const run = await this.#lstm.forward(this.parameters[0]!.value);
    if (this.#keepsRuns) this.#run = run;
    return (await this.model.runMethod('promptEncoderLstmHead', { ...feeds, input: run.output })).prompt!;
  }

  #mlpVjp(promptCotangent: Tensor<'float32'>): Promise<FloatFeeds> {
    return this.model.runMethodVjp('promptEncoderMlp', { ...valuesOf(this.parameters), promptCotangent });
  }

  async #lstmVjp(promptCotangent: Tensor<'float32'>): Promise<FloatFeeds> {
    const lstm = this.#lstm;
    const run = this.#run ?? (await lstm.forward(this.parameters[0]!.value));
    const head = await this.model.runMethodVjp('promptEncoderLstmHead', {
      ...valuesOf(this.parameters),
      input: run.output,
      promptCotangent,
    });
    const { input, weights } = await lstm.backward(run, head.inputCotangent!);
    const named = [...weights].map(([name, cotangent]) => [`${LSTM}${name}Cotangent`, cotangent]);
    return { ...head, ...Object.fromEntries(named), [`${EMBEDDING}Cotangent`]: input };
  }
}

export const pTuning: Method = {
  ...methodTable['p-tuning'],
  method: 'p-tuning',
  peftType: 'P_TUNING',
  fills: ['softPrompt'],
  async create({ bundle }, { virtualTokens, init = 'RANDOM', encoder, encoderHidden, encoderLayers, seed }) {
    if (init !== 'RANDOM')
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        `p-tuning: its rows go through an encoder, so they cannot begin as embeddings; leave init out (got ${init}), or use prompt-tuning`,
      );
    const spec = { kind: encoder, hiddenSize: encoderHidden ?? bundle.dims.hiddenSize, layers: encoder === 'LSTM' ? encoderLayers : 2 };
    return PTuning.create(bundle, virtualTokens, spec, seed);
  },
  // PEFT saves the encoder's output alone: what comes back is a soft prompt.
  load: async ({ bundle }, dir, config) => new SoftPrompt(bundle, await loadPromptEmbeddings(dir, config, bundle.dims)),
};
