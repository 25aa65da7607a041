/**
 * A bidirectional LSTM of several layers, forward and back. All rows share one product for the
 * input's part of the gates, and one for weight cotangents; cells run eight at a time. Weights have
 * torch's names (`weight_ih_l0`, `bias_hh_l1_reverse`), gates torch's order i, f, g, o.
 */
import { zeros } from '../../../src/tensor/floats.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { Feeds, FloatFeeds } from './adapter.js';
import type { AdapterModel } from './context.js';

type Matrix = Tensor<'float32'>;
type Model = Pick<AdapterModel, 'runMethod' | 'runMethodVjp'>;

/** Cells of one run of the graph: the first dim of its `gates`. */
const CELLS = 8;

/** A layer's weights in one direction: [4H, I], [4H, H], and [4H] for each bias. */
const kinds = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'] as const;
type Kind = (typeof kinds)[number];
const directions = ['', '_reverse'] as const;

/** The weights' names in torch's order, with shapes. @param inputSize width of the input rows */
export function lstmWeights(layers: number, inputSize: number, hiddenSize: number): readonly { name: string; shape: readonly number[] }[] {
  return Array.from({ length: layers }, (_, layer) =>
    directions.flatMap((direction) =>
      kinds.map((kind) => {
        const width = kind === 'weight_hh' ? hiddenSize : layer === 0 ? inputSize : 2 * hiddenSize;
        const shape = kind.startsWith('bias') ? [4 * hiddenSize] : [4 * hiddenSize, width];
        return { name: `${kind}_l${layer}${direction}`, shape };
      }),
    ),
  ).flat();
}

/** What one direction of a layer keeps for the way back, rows in the order of its cells. */
interface DirectionTrace {
  readonly gates: Matrix;
  /** [P, H], after each cell. */
  readonly states: Matrix;
  /** Before each run of {@link CELLS} cells. */
  readonly carries: readonly Carry[];
}

interface Carry {
  readonly hidden: Matrix;
  readonly cell: Matrix;
}

interface LayerTrace {
  /** [P, I] */
  readonly input: Matrix;
  readonly directions: readonly DirectionTrace[];
}

/** An LSTM's output and what the way back needs. */
export interface LstmRun {
  /** [P, 2H]: both directions of the last layer side by side. */
  readonly output: Matrix;
  readonly trace: readonly LayerTrace[];
}

export class Lstm {
  readonly #model: Model;
  readonly #weights: ReadonlyMap<string, Matrix>;
  readonly #layers: number;

  /** @param weights by torch's names, see {@link lstmWeights}; read anew in each run. */
  constructor(model: Model, weights: ReadonlyMap<string, Matrix>, layers: number) {
    this.#model = model;
    this.#weights = weights;
    this.#layers = layers;
  }

  /** @param input [P, I] */
  async forward(input: Matrix): Promise<LstmRun> {
    const trace: LayerTrace[] = [];
    let rows = input;
    for (let layer = 0; layer < this.#layers; layer++) {
      const runs: DirectionTrace[] = [];
      for (const direction of directions) runs.push(await this.#direction(rows, layer, direction));
      trace.push({ input: rows, directions: runs });
      rows = sideBySide(runs[0]!.states, reversed(runs[1]!.states));
    }
    return { output: rows, trace };
  }

  /** Cotangents of the input and, by name, of weights. @param cotangent [P, 2H], of the output */
  async backward(
    { trace }: LstmRun,
    cotangent: Matrix,
  ): Promise<{ readonly input: Matrix; readonly weights: ReadonlyMap<string, Matrix> }> {
    const weights = new Map<string, Matrix>();
    let below = cotangent;
    for (const [layer, { input, directions: runs }] of [...trace.entries()].reverse()) {
      const [forward, reverse] = apart(below);
      const ahead = await this.#directionVjp(input, layer, '', runs[0]!, forward, weights);
      const back = await this.#directionVjp(input, layer, '_reverse', runs[1]!, reversed(reverse), weights);
      below = f32(
        ahead.shape,
        ahead.data.map((value, at) => value + back.data[at]!),
      );
    }
    return { input: below, weights };
  }

  #weight(kind: Kind, layer: number, direction: string): Matrix {
    return this.#weights.get(`${kind}_l${layer}${direction}`)!;
  }

  #inputFeeds(input: Matrix, layer: number, direction: string): Feeds {
    const weight = (kind: Kind) => this.#weight(kind, layer, direction);
    return { input, weight_ih: weight('weight_ih'), bias_ih: weight('bias_ih'), bias_hh: weight('bias_hh') };
  }

  async #direction(input: Matrix, layer: number, direction: (typeof directions)[number]): Promise<DirectionTrace> {
    const weight_hh = this.#weight('weight_hh', layer, direction);
    const [P, H] = [input.shape[0]!, weight_hh.shape[1]!];
    const given = await this.#model.runMethod('promptEncoderLstmInput', this.#inputFeeds(input, layer, direction));
    const gates = direction === '' ? given.gates! : reversed(given.gates!);
    const states = zeros([P, H]);
    const carries: Carry[] = [];
    let carry: Carry = { hidden: zeros([1, H]), cell: zeros([1, H]) };
    for (let first = 0; first < P; first += CELLS) {
      carries.push(carry);
      const out = await this.#model.runMethod('promptEncoderLstmCells', { gates: padded(gates, first), ...carry, weight_hh });
      const after = out.hiddenStates!;
      states.data.set(after.data.subarray(0, (Math.min(P, first + CELLS) - first) * H), first * H);
      carry = { hidden: f32([1, H], after.data.subarray((CELLS - 1) * H)), cell: out.cellState! };
    }
    return { gates, states, carries };
  }

  /** @param cotangent [P, H], of the states in running order @returns the input's cotangent */
  async #directionVjp(
    input: Matrix,
    layer: number,
    direction: (typeof directions)[number],
    { gates, states, carries }: DirectionTrace,
    cotangent: Matrix,
    weights: Map<string, Matrix>,
  ): Promise<Matrix> {
    const weight_hh = this.#weight('weight_hh', layer, direction);
    const [P, H] = states.shape as [number, number];
    const gatesCotangent = zeros(gates.shape);
    let carried: Carry = { hidden: zeros([1, H]), cell: zeros([1, H]) };
    for (const [run, carry] of [...carries.entries()].reverse()) {
      const first = run * CELLS;
      const statesCotangent = padded(cotangent, first);
      // This run's last state began the next run; nothing follows the last run.
      carried.hidden.data.forEach((value, at) => {
        statesCotangent.data[(CELLS - 1) * H + at]! += value;
      });
      const back = await this.#model.runMethodVjp('promptEncoderLstmCells', {
        gates: padded(gates, first),
        ...carry,
        weight_hh,
        hiddenStatesCotangent: statesCotangent,
        cellStateCotangent: carried.cell,
      });
      const ofGates = back.gatesCotangent!.data.subarray(0, (Math.min(P, first + CELLS) - first) * 4 * H);
      gatesCotangent.data.set(ofGates, first * 4 * H);
      carried = { hidden: back.hiddenCotangent!, cell: back.cellCotangent! };
    }
    const before = zeros([P, H]);
    before.data.set(states.data.subarray(0, (P - 1) * H), H);
    const feeds = this.#inputFeeds(input, layer, direction);
    const recurrent = await this.#model.runMethodVjp('promptEncoderLstmInput', {
      ...feeds,
      input: before,
      weight_ih: weight_hh,
      gatesCotangent,
    });
    const ofInput = await this.#model.runMethodVjp('promptEncoderLstmInput', {
      ...feeds,
      gatesCotangent: direction === '' ? gatesCotangent : reversed(gatesCotangent),
    });
    const found: FloatFeeds = { ...ofInput, weight_hhCotangent: recurrent.weight_ihCotangent! };
    for (const kind of kinds) weights.set(`${kind}_l${layer}${direction}`, found[`${kind}Cotangent`]!);
    return ofInput.inputCotangent!;
  }
}

/** Rows [first, first + {@link CELLS}), padded at the end with zeros, which affect nothing. */
function padded({ shape, data }: Matrix, first: number): Matrix {
  const [rows, width] = shape as [number, number];
  const part = zeros([CELLS, width]);
  part.data.set(data.subarray(first * width, Math.min(rows, first + CELLS) * width));
  return part;
}

/** A matrix whose rows are `rowOf(row)`. */
function ofRows(rows: number, width: number, rowOf: (row: number) => readonly Float32Array[]): Matrix {
  const made = zeros([rows, width]);
  for (let row = 0; row < rows; row++) {
    let at = row * width;
    for (const piece of rowOf(row)) {
      made.data.set(piece, at);
      at += piece.length;
    }
  }
  return made;
}

/** The values [from, to) of a row. */
function rowPart({ shape, data }: Matrix, row: number, from = 0, to = shape[1]!): Float32Array {
  return data.subarray(row * shape[1]! + from, row * shape[1]! + to);
}

function reversed(matrix: Matrix): Matrix {
  const [rows, width] = matrix.shape as [number, number];
  return ofRows(rows, width, (row) => [rowPart(matrix, rows - 1 - row)]);
}

/** [P, H] and [P, H] -> [P, 2H]. */
function sideBySide(left: Matrix, right: Matrix): Matrix {
  const [rows, width] = left.shape as [number, number];
  return ofRows(rows, 2 * width, (row) => [rowPart(left, row), rowPart(right, row)]);
}

/** [P, 2H] -> [P, H] and [P, H]. */
function apart(matrix: Matrix): readonly [Matrix, Matrix] {
  const [rows, both] = matrix.shape as [number, number];
  const width = both / 2;
  return [ofRows(rows, width, (row) => [rowPart(matrix, row, 0, width)]), ofRows(rows, width, (row) => [rowPart(matrix, row, width)])];
}
