/** The keys and values of one lane: an array per block for keys and one for values. */
import { Tensor as OrtTensor } from 'onnxruntime-node';
import { CutlayerError } from '../../errors.js';
import { f32 } from '../../tensor/tensor.js';
import { releaseTensors } from '../release.js';
import type { DecodeSettings } from './protocol.js';

/** What a lane's layout depends on. */
export type LaneLayout = Pick<DecodeSettings, 'layers' | 'keyShape' | 'valueShape'>;

/** One kind of memory in one run: a tensor per block. */
export interface BlockTensors {
  readonly keys: readonly OrtTensor[];
  readonly values: readonly OrtTensor[];
}

/** The memory of `capacity` rows. It takes real memory only where rows have been written. */
export class LaneMemory {
  readonly #layout: LaneLayout;
  readonly #width: number;
  readonly #keys: readonly Float32Array[];
  readonly #values: readonly Float32Array[];
  #read: { readonly rows: number; readonly tensors: BlockTensors } | undefined;

  /** @throws CutlayerError OUT_OF_MEMORY */
  constructor(layout: LaneLayout, capacity: number) {
    this.#layout = layout;
    this.#width = layout.keyShape.reduce((product, dim) => product * dim, 1);
    const arrays = allocate(2 * layout.layers, capacity * this.#width);
    this.#keys = arrays.slice(0, layout.layers);
    this.#values = arrays.slice(layout.layers);
  }

  /** The first rows, to be read. The tensors share this memory and are kept while `rows` stays. */
  read(rows: number): BlockTensors {
    if (this.#read?.rows !== rows) {
      const { keyShape, valueShape } = this.#layout;
      const view = (shape: readonly number[]) => (array: Float32Array) =>
        new OrtTensor('float32', array.subarray(0, rows * this.#width), [rows, ...shape]);
      this.#read = { rows, tensors: { keys: this.#keys.map(view(keyShape)), values: this.#values.map(view(valueShape)) } };
    }
    return this.#read.tensors;
  }

  /** Rows [from, from + count), to be written by the graph: [count, numKvHeads * headDim]. */
  written(from: number, count: number): BlockTensors {
    const view = (array: Float32Array): OrtTensor => new OrtTensor('float32', this.#rows(array, from, from + count), [count, this.#width]);
    return { keys: this.#keys.map(view), values: this.#values.map(view) };
  }

  /** Writes the first rows. @param keyValues [layers, 2, rows, numKvHeads, headDim] */
  write(keyValues: Float32Array): void {
    const size = keyValues.length / (2 * this.#layout.layers);
    for (let layer = 0; layer < this.#layout.layers; layer++) {
      this.#keys[layer]!.set(keyValues.subarray(2 * layer * size, (2 * layer + 1) * size));
      this.#values[layer]!.set(keyValues.subarray((2 * layer + 1) * size, (2 * layer + 2) * size));
    }
  }

  /** Copies rows [from, from + rows) of another lane of this layout to row `at` of this one. */
  copyFrom(other: LaneMemory, { from, rows, at }: { readonly from: number; readonly rows: number; readonly at: number }): void {
    const sources = other.#arrays();
    for (const [index, array] of this.#arrays().entries()) array.set(this.#rows(sources[index]!, from, from + rows), at * this.#width);
  }

  /** Makes rows zero: a row that is not finite would spoil later ones, though it is masked. */
  clear(from: number, count: number): void {
    for (const array of this.#arrays()) this.#rows(array, from, from + count).fill(0);
  }

  /** Gives the memory back; the lane must not be used after that. */
  release(): void {
    this.#read = undefined;
    releaseTensors(this.#arrays().map((array) => f32([array.length], array)));
  }

  #arrays(): readonly Float32Array[] {
    return [...this.#keys, ...this.#values];
  }

  #rows(array: Float32Array, start: number, end: number): Float32Array {
    return array.subarray(start * this.#width, end * this.#width);
  }
}

function allocate(count: number, elements: number): readonly Float32Array[] {
  try {
    return Array.from({ length: count }, () => new Float32Array(elements));
  } catch (cause) {
    const bytes = 4 * count * elements;
    throw new CutlayerError('OUT_OF_MEMORY', `lane: the process has no memory for ${bytes} bytes of keys and values; close others first`, {
      cause,
    });
  }
}
