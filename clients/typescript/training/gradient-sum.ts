/**
 * The gradient of one optimizer step: its batches' cotangents, summed in float64 in the order of
 * the calls. So overlap changes no bit of the result. Only the sums are kept; of a single batch
 * that is the batch's own cotangents, without a copy in float64.
 */
import { addFloats, mapFloats } from '../../../src/tensor/floats.js';
import { f32, type Tensor, type TensorDType, tensor } from '../../../src/tensor/tensor.js';
import type { Adapter, StepCotangents } from '../adapters/adapter.js';
import { zeroGradients } from '../adapters/parameters.js';
import type { BatchResult, GradientResult, SequenceSums } from '../model/split-model.js';
import { type ClientOptimizations, optimizations } from '../optimizations.js';
import { OrderedResults } from './ordered-results.js';

/** Tensors by place, as {@link StepCotangents} holds them: some lie one level deeper. */
interface Nested<T extends TensorDType> {
  [place: string]: Tensor<T> | Nested<T>;
}

/** A batch's result and the task it belongs to. */
export type TaskResult = GradientResult & { readonly task: number | undefined };

/** The results of a step's batches together. */
export interface StepGradients {
  readonly lossSum: number;
  readonly targets: number;
  readonly correct: number;
  /** One of each parameter of the adapter, in its order. */
  readonly gradients: readonly Float32Array[];
}

/** What makes a step's gradient out of its batches. */
export abstract class StepSum {
  protected readonly adapter: Pick<Adapter, 'parameters' | 'pullBack'>;
  readonly #totals = { lossSum: 0, targets: 0, correct: 0 };
  readonly #results = new OrderedResults<TaskResult>((result) => {
    for (const name of ['lossSum', 'targets', 'correct'] as const) this.#totals[name] += result[name];
    return this.take(result);
  });

  constructor(adapter: Pick<Adapter, 'parameters' | 'pullBack'>) {
    this.adapter = adapter;
  }

  /** Batches that have been added. */
  get count(): number {
    return this.#results.count;
  }

  /** Adds a batch as soon as those before it have been added. */
  add(work: Promise<TaskResult>): void {
    this.#results.add(work);
  }

  /** Resolves when no batch is running, also after failures. */
  settled(): Promise<void> {
    return this.#results.settled();
  }

  /** The gradient, once all batches have ended. @throws the first error, in the order of calls */
  async gradients(): Promise<StepGradients> {
    await this.#results.taken();
    return { ...this.#totals, gradients: await this.release(this.#totals.targets) };
  }

  protected abstract take(result: TaskResult): void | Promise<void>;

  /** The gradient of each parameter. @param targets Of all batches. */
  protected abstract release(targets: number): readonly Float32Array[] | Promise<readonly Float32Array[]>;
}

/** The gradient of the mean over all targets. The cotangents of the batches are its own. */
export class GradientSum extends StepSum {
  readonly #tasks = new Map<number | undefined, Nested<TensorDType>>();
  readonly #ownCotangents: boolean;

  constructor(
    adapter: Pick<Adapter, 'parameters' | 'pullBack'>,
    { ownCotangents }: Pick<ClientOptimizations, 'ownCotangents'> = optimizations,
  ) {
    super(adapter);
    this.#ownCotangents = ownCotangents;
  }

  protected async release(targets: number): Promise<readonly Float32Array[]> {
    let gradients: readonly Float32Array[] | undefined;
    // In the order of the tasks' ids.
    for (const [task, sums] of [...this.#tasks].sort(([a], [b]) => (a ?? 0) - (b ?? 0))) {
      const pulled = await this.adapter.pullBack(quotients(sums, Math.max(1, targets)), task);
      gradients?.forEach((gradient, at) => {
        addFloats(gradient, pulled[at]!);
      });
      gradients ??= pulled;
    }
    return gradients ?? zeroGradients(this.adapter.parameters);
  }

  protected take({ task, cotangents }: TaskResult): void {
    const sums = this.#tasks.get(task) ?? (this.#ownCotangents ? undefined : {});
    this.#tasks.set(task, sums === undefined ? { ...cotangents } : added(sums, { ...cotangents }));
  }
}

/** Joins the results of one call. @param indexes For each: its sequences' places among all. */
export function joinResults(results: readonly BatchResult[], indexes: readonly (readonly number[])[]): BatchResult {
  const exact: (boolean | undefined)[] = [];
  const sequences: SequenceSums[] = [];
  results.forEach((result, at) => {
    result.exact.forEach((right, b) => {
      const index = indexes[at]![b]!;
      exact[index] = right;
      sequences[index] = result.sequences[b]!;
    });
  });
  const sum = (name: 'lossSum' | 'targets' | 'correct' | 'rows') => results.reduce((total, result) => total + result[name], 0);
  return { lossSum: sum('lossSum'), targets: sum('targets'), correct: sum('correct'), rows: sum('rows'), exact, sequences };
}

function isTensor<T extends TensorDType>(value: Tensor<T> | Nested<T>): value is Tensor<T> {
  return typeof value.dtype === 'string';
}

/** Sums of tensors at the same places, in float64. @param sums changed where they are float64 */
function added(sums: Nested<TensorDType>, cotangents: Nested<'float32'>): Nested<TensorDType> {
  const entries = Object.entries(cotangents).map(([place, value]): [string, Tensor | Nested<TensorDType>] => {
    // A place holds the same in all batches.
    const sum = sums[place];
    if (!isTensor(value)) return [place, added((sum ?? {}) as Nested<TensorDType>, value)];
    const wide = widened(sum as Tensor<'float32' | 'float64'> | undefined, value.data.length);
    addFloats(wide, value.data);
    return [place, tensor('float64', value.shape, wide)];
  });
  return { ...sums, ...Object.fromEntries(entries) };
}

function widened(sum: Tensor<'float32' | 'float64'> | undefined, length: number): Float64Array {
  if (sum === undefined) return new Float64Array(length);
  return sum.data instanceof Float64Array ? sum.data : Float64Array.from(sum.data);
}

/** @param sums Divided in place where they are float32. */
function quotients(sums: Nested<TensorDType>, divisor: number): Nested<'float32'> {
  const entries = Object.entries(sums);
  return Object.fromEntries(
    entries.map(([place, value]) => [
      place,
      isTensor(value) ? quotient(value as Tensor<'float32' | 'float64'>, divisor) : quotients(value, divisor),
    ]),
  );
}

function quotient({ shape, data }: Tensor<'float32' | 'float64'>, divisor: number): Tensor<'float32'> {
  // As a sum that began at 0: a negative zero becomes a positive one.
  if (data instanceof Float64Array)
    return f32(
      shape,
      mapFloats(data, (value) => (value + 0) / divisor),
    );
  for (let i = 0; i < data.length; i++) data[i] = (data[i]! + 0) / divisor;
  return f32(shape, data);
}
