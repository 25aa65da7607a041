/** Full training of the client's blocks: all or some weights, under the checkpoint's names. */
import { CutlayerError } from '../../../src/errors.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { StepCotangents, StepParts } from './adapter.js';
import { expectFileShape } from './adapter-config.js';
import type { AdapterModel, ClientBlockWeight } from './context.js';
import { askForBlocks, layerOf, matchesModule, moduleOf, vendorsLayer } from './lora-targets.js';
import type { Method } from './method.js';
import { MethodAdapter } from './method-adapter.js';
import { methodTable } from './method-table.js';
import { valuesOf } from './parameters.js';
import { PARTIAL_FILE, readPartialCheckpoint, writePartialCheckpoint } from './partial-checkpoint.js';

export class FullTraining extends MethodAdapter {
  readonly method = 'full';

  /** @param weights block weights by the checkpoint's names; training changes them in place */
  constructor(model: AdapterModel, weights: Readonly<Record<string, Tensor<'float32'>>>) {
    super(
      model,
      Object.entries(weights).map(([name, value]) => ({ name, value })),
    );
  }

  /**
   * Begins with the checkpoint's values. @throws CutlayerError INVALID_ARGUMENT
   * @param targets ends of module or weight names; empty: all
   */
  static async create(model: AdapterModel, targets: readonly string[]): Promise<FullTraining> {
    const weights: Record<string, Tensor<'float32'>> = {};
    for (const { name } of chosenWeights(model, targets)) {
      const { shape, data } = await model.weight(name);
      weights[name] = f32(shape, data.slice());
    }
    return new FullTraining(model, weights);
  }

  async parts(): Promise<StepParts> {
    return { blockWeights: valuesOf(this.parameters) };
  }

  async pullBack({ blockWeights = {} }: StepCotangents): Promise<readonly Float32Array[]> {
    return this.parameters.map(({ name, value }) => blockWeights[name]?.data ?? new Float32Array(value.data.length));
  }

  protected write(dir: string): Promise<void> {
    return writePartialCheckpoint(dir, valuesOf(this.parameters), {
      title: 'Trained blocks',
      loading: 'AutoModelForCausalLM.from_pretrained(BASE, dtype="float32")',
    });
  }
}

export const fullTraining: Method = {
  ...methodTable.full,
  method: 'full',
  peftType: null,
  fills: ['blockWeights'],
  create: ({ bundle }, { targets }) => FullTraining.create(bundle, targets),
  load: ({ bundle }, dir) => load(bundle, dir),
};

function chosenWeights(model: AdapterModel, targets: readonly string[]): readonly ClientBlockWeight[] {
  const held = model.blockWeights;
  if (held.length === 0) throw new CutlayerError('INVALID_ARGUMENT', `full: this bundle holds no blocks; ${askForBlocks(model)}`);
  const matches = ({ name }: ClientBlockWeight, target: string): boolean =>
    matchesModule(name, target) || matchesModule(moduleOf(name), target);
  for (const target of targets) {
    if (held.some((weight) => matches(weight, target))) continue;
    const names = [...new Set(held.map(({ name }) => moduleOf(name).replace(/^.*?\.\d+\./, '')))].join(', ');
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `targets: ${target}: ${vendors(model, target) ?? `no weight that the client holds; expected the end of a name among ${names}`}`,
    );
  }
  return targets.length === 0 ? held : held.filter((weight) => targets.some((target) => matches(weight, target)));
}

function vendors(model: AdapterModel, name: string): string | undefined {
  const layer = layerOf(name);
  return layer === undefined ? undefined : vendorsLayer(model, layer);
}

async function load(model: AdapterModel, dir: string): Promise<FullTraining> {
  const tensors = await readPartialCheckpoint(dir);
  const held = new Map(model.blockWeights.map(({ name, shape }) => [name, shape]));
  for (const [name, tensor] of tensors) {
    const shape = held.get(name);
    if (shape === undefined) {
      const why = vendors(model, name) ?? 'no weight of the blocks that this client holds';
      throw new CutlayerError('INVALID_ADAPTER', `${dir}/${PARTIAL_FILE}: ${name}: ${why}; use the client bundle that it was trained with`);
    }
    expectFileShape(`${dir}/${PARTIAL_FILE}: ${name}`, tensor, shape);
  }
  if (tensors.size === 0) throw new CutlayerError('INVALID_ADAPTER', `${dir}/${PARTIAL_FILE}: expected weights, got none; copy it again`);
  return new FullTraining(model, Object.fromEntries(tensors));
}
