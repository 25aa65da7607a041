/**
 * The student of an extraction attack: a backbone of random weights and a known architecture, which
 * is trained in this process. Its graphs and their vjp are the compiler's own.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdamW } from '../../../../clients/typescript/optimizers/adamw.js';
import { clipGradNorm } from '../../../../clients/typescript/optimizers/clip.js';
import type { Cut } from '../../../artifacts/manifest.js';
import { backboneWeights, compileTrainedBackbone } from '../../../compiler/graphs/trained-backbone.js';
import type { ModelDescription } from '../../../compiler/models/registry.js';
import type { Weight } from '../../../compiler/models/weights.js';
import { encodeModel } from '../../../compiler/onnx/encoder.js';
import type { Graph } from '../../../compiler/onnx/graph.js';
import { CutlayerError } from '../../../errors.js';
import { openGraphs, type SessionHost } from '../../../runtime/graphs.js';
import { readTensors, writeTensors } from '../../../safetensors/tensors-file.js';
import { normalTensor, type Random } from '../../../tensor/random.js';
import { elementCount, f32, type Tensor, tensor } from '../../../tensor/tensor.js';

type Floats = Tensor<'float32'>;
type NamedFloats = Readonly<Record<string, Floats>>;

/** What a student is made of. */
export interface StudentOptions {
  readonly model: ModelDescription;
  readonly cut: Cut;
  /** Directory for its graphs. */
  readonly dir: string;
  readonly random: Random;
  readonly threads?: number | undefined;
}

/** A forward pass, and the training step that may follow it. */
export interface StudentStep {
  /** [B * S, d] */
  readonly output: Floats;
  /** Updates the weights by the cotangent of `output`. */
  train(cotangent: Floats, learningRate: number): Promise<void>;
}

const FORWARD = 'forward.onnx';
const INFER = 'infer.onnx';
const VJP = 'vjp.onnx';
const MOST_GRADIENT = 1;

/** Its weights change by training. */
export class Student {
  /** Scalars of its weights. */
  readonly parameters: number;
  readonly #graphs: SessionHost;
  readonly #inputs: Readonly<Record<string, readonly string[]>>;
  readonly #residuals: readonly string[];
  readonly #weights: NamedFloats;
  readonly #optimizers: ReadonlyMap<string, AdamW>;

  private constructor(
    graphs: SessionHost,
    compiled: Pick<Student, 'parameters'> & { inputs: Record<string, readonly string[]>; residuals: readonly string[] },
    weights: NamedFloats,
  ) {
    this.#graphs = graphs;
    this.parameters = compiled.parameters;
    this.#inputs = compiled.inputs;
    this.#residuals = compiled.residuals;
    this.#weights = weights;
    this.#optimizers = new Map(
      Object.entries(weights).map(([name, { shape, data }]) => [
        name,
        new AdamW(data.length, { beta2: 0.98, weightDecay: shape.length > 1 ? 0.01 : 0 }),
      ]),
    );
  }

  /** @throws CutlayerError IO_ERROR, INVALID_CONFIG */
  static async open({ model, cut, dir, random, threads }: StudentOptions): Promise<Student> {
    const { forward, infer, vjp, residuals } = compileTrainedBackbone(model, cut);
    mkdirSync(dir, { recursive: true });
    const inputs: Record<string, readonly string[]> = {};
    for (const [file, graph] of Object.entries({ [FORWARD]: forward, [INFER]: infer, [VJP]: vjp }) as [string, Graph][]) {
      writeFileSync(join(dir, file), encodeModel(graph));
      inputs[file] = graph.inputs.map(({ name }) => name);
    }
    const table = backboneWeights(model, cut);
    const weights = Object.fromEntries(table.map((weight) => [weight.name, firstValues(weight, model, random)]));
    const graphs = await openGraphs({ dir, graphs: Object.keys(inputs) }, { threads, warm: false });
    const parameters = table.reduce((sum, { shape }) => sum + elementCount(shape), 0);
    return new Student(graphs, { parameters, inputs, residuals: residuals.map(({ name }) => name) }, weights);
  }

  /** Rows [B, S, d] through it, without a step to follow. @returns [B * S, d] */
  async infer(hiddenStates: Floats, signal?: AbortSignal): Promise<Floats> {
    const { output } = await this.#run(INFER, this.#feeds(hiddenStates), signal);
    return output!;
  }

  /** As {@link infer}, for training. @throws CutlayerError NON_FINITE when it has diverged */
  async forward(hiddenStates: Floats, signal?: AbortSignal): Promise<StudentStep> {
    const feeds = this.#feeds(hiddenStates);
    const values = await this.#run(FORWARD, feeds, signal);
    const residuals = Object.fromEntries(this.#residuals.map((name) => [name, values[name]!]));
    return {
      output: values.output!,
      train: async (cotangent, learningRate) => {
        const found = await this.#run(VJP, { ...feeds, ...residuals, cotangent }, signal);
        const gradients = Object.keys(this.#weights).map((name) => found[`${name}Cotangent`]!.data);
        const norm = clipGradNorm(gradients, MOST_GRADIENT);
        if (!Number.isFinite(norm)) throw new CutlayerError('DIVERGED', 'student: its gradient is not finite; lower --lr');
        for (const [at, [name, { data }]] of Object.entries(this.#weights).entries())
          this.#optimizers.get(name)!.step(data, gradients[at]!, learningRate);
      },
    };
  }

  /** Saves weights and moments. @throws CutlayerError IO_ERROR */
  async save(file: string, step: number): Promise<void> {
    const tensors: Record<string, Floats> = {};
    for (const [name, weight] of Object.entries(this.#weights)) {
      const { expAvg, expAvgSq } = this.#optimizers.get(name)!.state();
      Object.assign(tensors, {
        [name]: weight,
        [`${name}.expAvg`]: f32(weight.shape, expAvg),
        [`${name}.expAvgSq`]: f32(weight.shape, expAvgSq),
      });
    }
    await writeTensors(file, tensors, { step: `${step}` });
  }

  /** Takes up what was saved. @returns its step; 0 without a file @throws CutlayerError */
  async load(file: string): Promise<number> {
    if (!existsSync(file)) return 0;
    const { tensors, metadata } = await readTensors(file);
    const step = Number(metadata.get('step'));
    const read = (name: string): Float32Array => {
      const found = tensors.get(name);
      if (found?.dtype !== 'float32')
        throw new CutlayerError('MISSING_TENSOR', `${file}: expected float32 ${name}; delete the file to begin anew`);
      return found.data as Float32Array; // as its dtype says
    };
    for (const [name, { data }] of Object.entries(this.#weights)) {
      data.set(read(name));
      this.#optimizers.get(name)!.load({ step, expAvg: read(`${name}.expAvg`), expAvgSq: read(`${name}.expAvgSq`) });
    }
    return step;
  }

  close(): Promise<void> {
    return this.#graphs.close();
  }

  #feeds(hiddenStates: Floats): Readonly<Record<string, Tensor>> {
    const rows = hiddenStates.shape[0]! * hiddenStates.shape[1]!;
    const positions = tensor(
      'int64',
      [rows],
      BigInt64Array.from({ length: rows }, (_, row) => BigInt(row)),
    );
    return { hiddenStates, positions, ...this.#weights };
  }

  async #run(graph: string, feeds: Readonly<Record<string, Tensor>>, signal?: AbortSignal): Promise<NamedFloats> {
    const taken = Object.fromEntries(this.#inputs[graph]!.map((name) => [name, feeds[name]!]));
    return (await this.#graphs.run(graph, taken, { signal })) as NamedFloats; // graphs of the compiler give float32
  }
}

/** Norms are the identity, biases 0, matrices random; those that end a sublayer are smaller. */
function firstValues({ role, shape }: Weight, { spec }: ModelDescription, random: Random): Floats {
  if (shape.length === 1) return f32(shape, new Float32Array(shape[0]!).fill(/Norm$/.test(role) ? 1 - spec.norm.weightOffset : 0));
  const inputs = shape[spec.linearLayout === 'outIn' ? 1 : 0]!;
  const last = role === 'attentionOutput' || role === 'mlpDown';
  return normalTensor(random, shape, 0, 0.6 / Math.sqrt(inputs * (last ? 2 * spec.numLayers : 1)));
}
