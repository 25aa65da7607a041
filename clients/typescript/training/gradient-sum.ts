/**
 * The gradient of one optimizer step: its batches' cotangents, summed in float64 in the order of
 * the calls. So overlap changes no bit of the result. Only the sums are kept.
 */
import { addFloats, mapFloats } from '../../../src/tensor/floats.js';
import { f32, type Tensor, type TensorDType, tensor } from '../../../src/tensor/tensor.js';
import type { Adapter, StepCotangents } from '../adapters/adapter.js';
import type { BatchResult, GradientResult, SequenceSums } from '../model/split-model.js';
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

/** The gradient of the mean over all targets. */
export class GradientSum extends StepSum {
  readonly #tasks = new Map<number | undefined, Nested<'float64'>>();

  protected async release(targets: number): Promise<readonly Float32Array[]> {
    const gradients = this.adapter.parameters.map(({ value }) => new Float32Array(value.data.length));
    // In the order of the tasks' ids.
    for (const [task, sums] of [...this.#tasks].sort(([a], [b]) => (a ?? 0) - (b ?? 0))) {
      const pulled = await this.adapter.pullBack(quotients(sums, Math.max(1, targets)), task);
      for (const [at, gradient] of gradients.entries()) addFloats(gradient, pulled[at]!);
    }
    return gradients;
  }

  protected take({ task, cotangents }: TaskResult): void {
    const sums = this.#tasks.get(task) ?? {};
    this.#tasks.set(task, sums);
    addInto(sums, { ...cotangents });
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

/** Adds every tensor to its sum, which has the same place. */
function addInto(sums: Nested<'float64'>, cotangents: Nested<'float32'>): void {
  for (const [place, value] of Object.entries(cotangents)) {
    // A place holds the same in all batches.
    if (!isTensor(value)) {
      sums[place] ??= {};
      addInto(sums[place] as Nested<'float64'>, value);
      continue;
    }
    sums[place] ??= tensor('float64', value.shape, new Float64Array(value.data.length));
    addFloats((sums[place] as Tensor<'float64'>).data, value.data);
  }
}

function quotients(sums: Nested<'float64'>, divisor: number): Nested<'float32'> {
  const mean = ({ shape, data }: Tensor<'float64'>) =>
    f32(
      shape,
      mapFloats(data, (value) => value / divisor),
    );
  const entries = Object.entries(sums);
  return Object.fromEntries(entries.map(([place, value]) => [place, isTensor(value) ? mean(value) : quotients(value, divisor)]));
}
