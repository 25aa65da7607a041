/**
 * Prefix tuning: trainable keys and values of P virtual tokens in every block, without rows of their own.
 * @see arXiv:2101.00190; positions and layout as PEFT's PREFIX_TUNING without projection
 */
import { CutlayerError } from '../../../src/errors.js';
import { elementCount, f32, type Tensor, tensor } from '../../../src/tensor/tensor.js';
import { seeded } from '../random.js';
import type { AdapterDims, Feeds } from './adapter.js';
import { savePrefixTuning } from './peft.js';
import type { SpanAdapter as Adapter, SpanCotangents } from './span-adapter.js';

/** Default spread of new keys and values: near zero, so that training begins close to the bare model. */
const INITIAL_STD = 0.02;

/** Keys (after rotary embedding) and values of P virtual tokens in all blocks: bottom, backbone and top. */
export class Prefix implements Adapter {
  readonly kind = 'prefix';
  readonly promptRows = 0;
  readonly parameter: Tensor<'float32'>;
  readonly #dims: AdapterDims;

  /** @param parameter [layers, 2, P, numKvHeads, headDim], layers of the whole model. @throws CutlayerError INVALID_SHAPE */
  constructor(dims: AdapterDims, parameter: Tensor<'float32'>) {
    const wanted = prefixShape(dims, parameter.shape[2] ?? 1);
    if (parameter.shape.length !== 5 || !wanted.every((dim, axis) => dim === parameter.shape[axis] && dim >= 1)) {
      throw new CutlayerError(
        'INVALID_SHAPE',
        `prefix: expected [${wanted.map((dim, axis) => (axis === 2 ? 'P' : dim)).join(', ')}], got [${parameter.shape.join(', ')}]`,
      );
    }
    this.#dims = dims;
    this.parameter = parameter;
  }

  /** Makes a new prefix: normal with the given spread, or the values of a soft start near zero. @throws CutlayerError INVALID_ARGUMENT */
  static create(dims: AdapterDims, numVirtualTokens: number, how: { readonly seed: number; readonly std?: number }): Prefix {
    if (!Number.isSafeInteger(numVirtualTokens) || numVirtualTokens < 1) {
      throw new CutlayerError('INVALID_ARGUMENT', `prefix: the number of virtual tokens must be at least 1, got ${numVirtualTokens}`);
    }
    const shape = prefixShape(dims, numVirtualTokens);
    const random = seeded(how.seed, 0x5058);
    const std = how.std ?? INITIAL_STD;
    return new Prefix(
      dims,
      f32(
        shape,
        Float32Array.from({ length: elementCount(shape) }, () => std * random.normal()),
      ),
    );
  }

  get numVirtualTokens(): number {
    return this.parameter.shape[2]!;
  }

  bottomFeeds(): Feeds {
    const { bottom } = this.#dims;
    // A bottom without blocks (GPT-2's position embedding alone) needs only to know where the text begins.
    if (bottom === 0) return { numVirtualTokens: tensor('int64', [], BigInt64Array.of(BigInt(this.numVirtualTokens))) };
    return { prefix: this.#layers(0, bottom) };
  }

  backboneValue(): Tensor<'float32'> {
    return this.#layers(this.#dims.bottom, this.#dims.backbone);
  }

  topFeeds(): Feeds {
    return { prefix: this.#layers(this.#dims.bottom + this.#dims.backbone, this.#dims.top) };
  }

  parameterCotangent({ bottom, backbone, top }: SpanCotangents): Float32Array {
    const whole = new Float32Array(this.parameter.data.length);
    const parts = [bottom?.prefixCotangent, backbone, top?.prefixCotangent];
    const counts = [this.#dims.bottom, this.#dims.backbone, this.#dims.top];
    let at = 0;
    counts.forEach((layers, span) => {
      const part = parts[span];
      if (layers > 0 && part !== undefined) whole.set(part.data as Float32Array, at);
      at += layers * this.#layerSize;
    });
    return whole;
  }

  save(dir: string): Promise<void> {
    return savePrefixTuning(dir, this.parameter, this.#dims);
  }

  get #layerSize(): number {
    return elementCount(this.parameter.shape.slice(1));
  }

  /** A copy of some layers: [count, 2, P, numKvHeads, headDim]. */
  #layers(first: number, count: number): Tensor<'float32'> {
    const size = this.#layerSize;
    return f32([count, ...this.parameter.shape.slice(1)], this.parameter.data.slice(first * size, (first + count) * size));
  }
}

/** The shape of a prefix of P virtual tokens for the whole model. */
export function prefixShape(dims: AdapterDims, numVirtualTokens: number): readonly number[] {
  return [dims.bottom + dims.backbone + dims.top, 2, numVirtualTokens, dims.numKvHeads, dims.headDim];
}
