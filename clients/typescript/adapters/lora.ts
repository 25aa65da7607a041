/**
 * LoRA on linear layers of the client's blocks and on the LM head. A block's update is merged into
 * its weight once per step. The head's is added to the logits, so that no second table exists.
 * @see arXiv:2106.09685; scale and first values as PEFT's
 */
import { CutlayerError } from '../../../src/errors.js';
import { zeros } from '../../../src/tensor/floats.js';
import { seeded, uniformTensor } from '../../../src/tensor/random.js';
import { expectShape } from '../../../src/tensor/shape.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { Feeds, StepCotangents, StepParts } from './adapter.js';
import type { AdapterModel } from './context.js';
import { loadLora, saveLora } from './lora-files.js';
import { type LoraLayer, type LoraScale, type LoraTarget, loraTargets } from './lora-targets.js';
import type { Method } from './method.js';
import { MethodAdapter } from './method-adapter.js';
import { methodTable } from './method-table.js';

export class Lora extends MethodAdapter {
  readonly method = 'lora';
  readonly rank: number;
  readonly scale: LoraScale;
  readonly layers: readonly LoraLayer[];
  /** The frozen weights, by name. */
  readonly #weights: Feeds;

  private constructor(model: AdapterModel, layers: readonly LoraLayer[], scale: LoraScale, weights: Feeds) {
    const parameters = layers.flatMap(({ target: { module }, a, b }) => [
      { name: `${module}.lora_A.weight`, value: a },
      { name: `${module}.lora_B.weight`, value: b },
    ]);
    super(model, parameters);
    this.layers = layers;
    this.scale = scale;
    this.rank = layers[0]!.a.shape[0]!;
    this.#weights = weights;
  }

  /**
   * An adapter with given values.
   * @param layers at least one, all of one rank
   * @throws CutlayerError INVALID_SHAPE, MISSING_TENSOR
   */
  static async of(model: AdapterModel, layers: readonly LoraLayer[], scale: LoraScale): Promise<Lora> {
    const rank = layers[0]?.a.shape[0];
    if (rank === undefined) throw new CutlayerError('INVALID_ARGUMENT', 'lora: expected at least one layer');
    for (const { target, a, b } of layers) {
      const { module, inputs, outputs } = target;
      expectShape(`lora: ${module}: A`, a.shape, [rank, inputs]);
      expectShape(`lora: ${module}: B`, b.shape, [outputs, rank]);
    }
    const names = layers.flatMap(({ target: { weight } }) => weight?.name ?? []);
    const weights: Record<string, Tensor> = {};
    for (const name of names) weights[name] = await model.weight(name);
    return new Lora(model, layers, scale, weights);
  }

  /** Changes nothing at first: A uniform within 1/sqrt(inputs) (kaiming, a = sqrt 5), B zero. */
  static create(
    model: AdapterModel,
    targets: readonly LoraTarget[],
    how: { readonly rank: number; readonly scale: LoraScale; readonly seed: number },
  ): Promise<Lora> {
    const random = seeded(how.seed, 0x4c52);
    const layers = targets.map((target): LoraLayer => {
      const a = uniformTensor(random, [how.rank, target.inputs], 1 / Math.sqrt(target.inputs));
      return { target, a, b: zeros([target.outputs, how.rank]) };
    });
    return Lora.of(model, layers, how.scale);
  }

  async parts(): Promise<StepParts> {
    const blockWeights: Record<string, Tensor<'float32'>> = {};
    for (const layer of this.layers) {
      const { weight } = layer.target;
      if (weight === undefined) continue;
      const { merged } = await this.model.runMethod('loraMerge', this.#feeds(layer));
      blockWeights[weight.name] = merged!;
    }
    const head = this.layers.find(({ target }) => target.weight === undefined);
    return {
      ...(Object.keys(blockWeights).length > 0 && { blockWeights }),
      ...(head !== undefined && { headLora: { a: head.a, b: head.b, scale: this.#factor } }),
    };
  }

  async pullBack({ blockWeights = {}, headLora }: StepCotangents): Promise<readonly Float32Array[]> {
    const gradients: Float32Array[] = [];
    for (const layer of this.layers) {
      const { target, a, b } = layer;
      const cotangent = target.weight === undefined ? undefined : blockWeights[target.weight.name];
      if (cotangent !== undefined) {
        const back = await this.model.runMethodVjp('loraMerge', { ...this.#feeds(layer), mergedCotangent: cotangent });
        gradients.push(back.loraACotangent!.data, back.loraBCotangent!.data);
      } else if (target.weight === undefined && headLora !== undefined) gradients.push(headLora.a.data, headLora.b.data);
      else gradients.push(new Float32Array(a.data.length), new Float32Array(b.data.length));
    }
    return gradients;
  }

  protected write(dir: string): Promise<void> {
    return saveLora(dir, this, this.model.linearLayout);
  }

  get #factor(): number {
    return this.scale.alpha / (this.scale.rankStabilized === true ? Math.sqrt(this.rank) : this.rank);
  }

  #feeds({ target, a, b }: LoraLayer): Feeds {
    return { weight: this.#weights[target.weight!.name]!, loraA: a, loraB: b, loraScale: f32([], Float32Array.of(this.#factor)) };
  }
}

export const lora: Method = {
  ...methodTable.lora,
  method: 'lora',
  peftType: 'LORA',
  fills: ['blockWeights', 'headLora'],
  create: ({ bundle }, { targets, rank, alpha, seed }) =>
    Lora.create(bundle, loraTargets(bundle, targets), { rank, scale: { alpha }, seed }),
  load: async ({ bundle }, dir, config) => {
    const { layers, scale } = await loadLora(bundle, dir, config);
    return Lora.of(bundle, layers, scale);
  },
};
