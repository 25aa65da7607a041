/**
 * Leaves of a graph: inputs, weights, constants and run-time sizes of symbolic dimensions. Sizes
 * are arithmetic on the symbols' sizes, emitted once per graph by hash-consing.
 */
import type { DType } from '../../tensor/dtype.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';
import { type Dim, type Shape, symbol, symbolName } from './dim.js';
import { OpApplier } from './op-applier.js';
import { scalarTensor } from './scalar.js';
import type { Value } from './value.js';

/** Makes leaves and sizes; the ops on top of them are {@link GraphBuilder}'s. */
export class LeafBuilder extends OpApplier {
  // ---- leaves

  /** A value fed at run time. */
  input(name: string, dtype: DType, shape: Shape): Value {
    return this.table.named('input', name, dtype, shape);
  }

  /** A frozen parameter stored outside the graph, under this name. */
  weight(name: string, dtype: DType, shape: readonly number[]): Value {
    return this.table.named('weight', name, dtype, shape);
  }

  /** A small tensor stored in the graph. */
  constant(value: Tensor): Value {
    return this.table.constant(value);
  }

  scalar(value: number, dtype: DType = 'float32'): Value {
    return this.constant(scalarTensor(value, dtype));
  }

  /** A constant int64 vector. */
  ints(values: readonly number[]): Value {
    return this.constant(tensor('int64', [values.length], BigInt64Array.from(values, BigInt)));
  }

  // ---- sizes

  /** The run-time size of a dimension, an int64 scalar. */
  dim(dim: Dim): Value {
    return typeof dim === 'number'
      ? this.scalar(dim, 'int64')
      : this.apply('Squeeze', { data: this.#sizeVector(dim), axes: this.ints([0]) });
  }

  /** The run-time sizes of dimensions, an int64 vector. */
  shapeVector(dims: Shape): Value {
    const parts: Value[] = [];
    let numbers: number[] = [];
    const flush = (): void => {
      if (numbers.length > 0) parts.push(this.ints(numbers));
      numbers = [];
    };
    for (const dim of dims) {
      if (typeof dim === 'number') numbers.push(dim);
      else {
        flush();
        parts.push(this.#sizeVector(dim));
      }
    }
    flush();
    if (parts.length === 0) return this.ints([]);
    return parts.length === 1 ? parts[0]! : this.apply('Concat', { inputs: parts }, { axis: 0 });
  }

  /** The run-time size of one dimension, int64 [1], from the sizes of its symbols. */
  #sizeVector(dim: Dim): Value {
    if (typeof dim === 'number') return this.ints([dim]);
    if (symbolName(dim) !== undefined) return this.table.symbolSize(dim);
    const products = [...dim.terms].map(([monomial, coefficient]) => {
      const factors = monomial === '' ? [] : monomial.split('*').map((name) => this.table.symbolSize(symbol(name)));
      if (coefficient !== 1 || factors.length === 0) factors.push(this.ints([coefficient]));
      return factors.reduce((product, factor) => this.apply('Mul', { A: product, B: factor }));
    });
    return products.reduce((sum, product) => this.apply('Add', { A: sum, B: product }));
  }

  /** start, start + delta, … below limit, int64; each end is a dimension. */
  range(start: Dim, limit: Dim, delta = 1): Value {
    return this.apply('Range', { start: this.dim(start), limit: this.dim(limit), delta: this.dim(delta) });
  }
  fill(dims: Shape, value: number, dtype: DType = 'float32'): Value {
    const element = { ...scalarTensor(value, dtype), shape: [1] };
    return this.apply('ConstantOfShape', { input: this.shapeVector(dims) }, { value: element });
  }
}
