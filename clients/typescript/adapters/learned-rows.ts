/**
 * An adapter with a learned transform of the rows that are sent. Its values are trained with the
 * adapter's own, lie beside them in {@link TRANSFORM_FILE}, and are in no message. PEFT ignores it.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpanKind } from '../../../src/artifacts/manifest.js';
import { CutlayerError } from '../../../src/errors.js';
import { readTensors, writeTensors } from '../../../src/safetensors/tensors-file.js';
import { allFinite } from '../../../src/tensor/finite.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { Adapter, Parameter, StepCotangents, StepParts } from './adapter.js';
import { checkMap, type LearnedMap, mapWeights } from './learned-map.js';

/** The transform's tensors, and the unit of its rows. */
export const TRANSFORM_FILE = 'cutlayer_learned_noise.safetensors';

export class LearnedRows implements Adapter {
  readonly method: Adapter['method'];
  readonly spanKind: SpanKind;
  readonly numVirtualTokens: number;
  readonly parameters: readonly Parameter[];
  readonly tasks?: readonly string[];
  readonly labels?: readonly string[];
  /** The adapter without it. */
  readonly inner: Adapter;
  readonly #map: LearnedMap;

  constructor(inner: Adapter, map: LearnedMap) {
    this.inner = inner;
    this.#map = map;
    this.method = inner.method;
    this.spanKind = inner.spanKind;
    this.numVirtualTokens = inner.numVirtualTokens;
    this.parameters = [...inner.parameters, ...mapWeights.map((name) => ({ name: `learned-noise/${name}`, value: map.weights[name] }))];
    if (inner.tasks !== undefined) this.tasks = inner.tasks;
    if (inner.labels !== undefined) this.labels = inner.labels;
  }

  async parts(task?: number): Promise<StepParts> {
    return { ...(await this.inner.parts(task)), rowTransform: this.#map };
  }

  async pullBack({ rowTransform, ...others }: StepCotangents, task?: number): Promise<readonly Float32Array[]> {
    const own = mapWeights.map((name) => rowTransform?.[name]?.data ?? new Float32Array(this.#map.weights[name].data.length));
    return [...(await this.inner.pullBack(others, task)), ...own];
  }

  async save(dir: string): Promise<void> {
    await this.inner.save(dir);
    const { unit, weights } = this.#map;
    await writeTensors(join(dir, TRANSFORM_FILE), { ...weights, unit: f32([1], [unit]) });
  }
}

/**
 * The transform of an adapter's directory; undefined where there is none.
 * @throws CutlayerError INVALID_ADAPTER, INVALID_SAFETENSORS
 */
export async function readTransform(dir: string, hiddenSize: number): Promise<LearnedMap | undefined> {
  const file = join(dir, TRANSFORM_FILE);
  if ((await stat(file).catch(() => undefined)) === undefined) return undefined;
  const { tensors } = await readTensors(file);
  const names = [...mapWeights, 'unit'];
  const found = names.map((name) => {
    const tensor = tensors.get(name);
    if (tensor?.dtype === 'float32' && allFinite(tensor.data as Float32Array)) return [name, tensor as Tensor<'float32'>] as const;
    const got = tensor === undefined ? 'nothing' : tensor.dtype === 'float32' ? 'NaN or infinity' : tensor.dtype;
    throw new CutlayerError('INVALID_ADAPTER', `${file}: ${name}: expected finite float32 values, got ${got}; copy the adapter again`);
  });
  const { unit, ...weights } = Object.fromEntries(found) as LearnedMap['weights'] & { readonly unit: Tensor<'float32'> }; // of all names
  const map = { unit: unit.data[0] ?? 0, weights };
  checkMap(file, map, hiddenSize);
  return map;
}
