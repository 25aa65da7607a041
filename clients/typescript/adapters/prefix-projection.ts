/**
 * Prefix tuning with projection: two layers make the keys and values of every block from P rows. As
 * in PEFT, rows and layers begin as torch draws them, and only the prefix that they give is saved.
 * The projection makes a prefix quick to train: the same rows without it want many more steps.
 * @see arXiv:2101.00190 sec. 4.3; PEFT 0.21 `tuners/prefix_tuning/model.py`
 */
import { seeded } from '../../../src/tensor/random.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { AdapterDims, Parameter, StepCotangents, StepParts } from './adapter.js';
import type { AdapterModel } from './context.js';
import { MethodAdapter } from './method-adapter.js';
import { checkParameters, EMBEDDING, gradientsOf, type ParameterShape, torchParameters, valuesOf, zeroGradients } from './parameters.js';
import { savePrefixTuning } from './peft.js';

/** The parameters by PEFT's names, in PEFT's order. @param hiddenSize of the projection */
export function projectionParameters(dims: AdapterDims, numVirtualTokens: number, hiddenSize: number): readonly ParameterShape[] {
  const width = dims.numKvHeads * dims.headDim;
  const flatWidth = (dims.bottom + dims.backbone + dims.top) * 2 * width;
  return [
    { name: EMBEDDING, shape: [numVirtualTokens, width] },
    { name: 'transform.0.weight', shape: [hiddenSize, width] },
    { name: 'transform.0.bias', shape: [hiddenSize] },
    { name: 'transform.2.weight', shape: [flatWidth, hiddenSize] },
    { name: 'transform.2.bias', shape: [flatWidth] },
  ];
}

export class ProjectedPrefix extends MethodAdapter {
  readonly method = 'prefix-tuning';
  override readonly spanKind = 'prefix';

  /** @param parameters of {@link projectionParameters} @throws CutlayerError INVALID_SHAPE */
  constructor(model: AdapterModel, parameters: readonly Parameter[]) {
    const rows = (name: string): number => parameters.find((parameter) => parameter.name === name)?.value.shape[0] ?? 0;
    const wanted = projectionParameters(model.dims, rows(EMBEDDING), rows('transform.0.weight'));
    super(model, checkParameters('prefix-tuning with projection', wanted, parameters));
  }

  /** Makes a new one of P virtual tokens. @param hiddenSize of the projection */
  static create(model: AdapterModel, numVirtualTokens: number, hiddenSize: number, seed: number): ProjectedPrefix {
    const shapes = projectionParameters(model.dims, numVirtualTokens, hiddenSize);
    return new ProjectedPrefix(model, torchParameters(seeded(seed, 0x5050), shapes));
  }

  async parts(): Promise<StepParts> {
    return { prefix: await this.#prefix() };
  }

  async pullBack({ prefix }: StepCotangents): Promise<readonly Float32Array[]> {
    if (prefix === undefined) return zeroGradients(this.parameters);
    const cotangents = await this.model.runMethodVjp('prefixProjection', { ...valuesOf(this.parameters), prefixCotangent: prefix });
    return gradientsOf(this.parameters, cotangents);
  }

  protected async write(dir: string): Promise<void> {
    const [, hidden] = this.parameters;
    await savePrefixTuning(dir, await this.#prefix(), this.model.dims, { encoderHiddenSize: hidden!.value.shape[0]! });
  }

  async #prefix(): Promise<Tensor<'float32'>> {
    return (await this.model.runMethod('prefixProjection', valuesOf(this.parameters))).prefix!;
  }
}
