/**
 * The gradient of one optimizer step: cotangents of its batches, summed in float64 in the order of the calls whichever batch ends first, so that the
 * result is the same to the last bit whatever runs side by side. Only the sums are kept, not every batch's cotangents.
 */
import { addFloats, mapFloats } from '../../../src/tensor/floats.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { Adapter, StepCotangents } from '../adapters/adapter.js';
import type { BatchResult, GradientResult } from '../model/split-model.js';
import { OrderedResults } from './ordered-results.js';

/** Sums by place; a place is a path such as `blockWeights/<name>`. */
type Places = Map<string, { readonly shape: readonly number[]; readonly sum: Float64Array }>;

/** A batch's result and the task it belongs to. */
export type TaskResult = GradientResult & { readonly task: number | undefined };

/** What the batches of a step came to together. */
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

  /** Resolves when no batch is under way any more, whatever they came to. */
  settled(): Promise<void> {
    return this.#results.settled();
  }

  /** The gradient, once all batches have ended. @throws the first error of a batch, in the order of the calls */
  async gradients(): Promise<StepGradients> {
    await this.#results.taken();
    return { ...this.#totals, gradients: await this.release(this.#totals.targets) };
  }

  /** Adds one batch's cotangents. */
  protected abstract take(result: TaskResult): void | Promise<void>;

  /** The gradient of each parameter. @param targets Of all batches. */
  protected abstract release(targets: number): readonly Float32Array[] | Promise<readonly Float32Array[]>;
}

/** The gradient of the mean over all targets. */
export class GradientSum extends StepSum {
  readonly #tasks = new Map<number | undefined, Places>();

  protected async release(targets: number): Promise<readonly Float32Array[]> {
    const gradients = this.adapter.parameters.map(({ value }) => new Float32Array(value.data.length));
    // In the order of the tasks' ids.
    for (const [task, places] of [...this.#tasks].sort(([a], [b]) => (a ?? 0) - (b ?? 0))) {
      const pulled = await this.adapter.pullBack(assembled(places, Math.max(1, targets)), task);
      for (const [at, gradient] of gradients.entries()) addFloats(gradient, pulled[at]!);
    }
    return gradients;
  }

  protected take({ task, cotangents }: TaskResult): void {
    const places: Places = this.#tasks.get(task) ?? new Map();
    this.#tasks.set(task, places);
    for (const [place, { shape, data }] of taken(cotangents)) {
      const known = places.get(place) ?? { shape, sum: new Float64Array(data.length) };
      places.set(place, known);
      addFloats(known.sum, data);
    }
  }
}

/** Several results of one call as one. @param indexes For each result: its sequences' places among all. */
export function joinResults(results: readonly BatchResult[], indexes: readonly (readonly number[])[]): BatchResult {
  const exact: boolean[] = [];
  results.forEach((result, at) => {
    result.exact.forEach((right, b) => {
      exact[indexes[at]![b]!] = right;
    });
  });
  const sum = (value: (result: BatchResult) => number) => results.reduce((total, result) => total + value(result), 0);
  return {
    lossSum: sum((r) => r.lossSum),
    targets: sum((r) => r.targets),
    correct: sum((r) => r.correct),
    rows: sum((r) => r.rows),
    exact,
  };
}

/** Cotangents by place. */
function taken({ blockWeights, headLora, ...plain }: StepCotangents): readonly (readonly [string, Tensor<'float32'>])[] {
  return [
    ...Object.entries(plain).filter((entry): entry is [string, Tensor<'float32'>] => entry[1] !== undefined),
    ...Object.entries(blockWeights ?? {}).map(([name, value]) => [`blockWeights/${name}`, value] as const),
    ...(headLora === undefined
      ? []
      : ([
          ['headLora/a', headLora.a],
          ['headLora/b', headLora.b],
        ] as const)),
  ];
}

/** The inverse of {@link taken}, divided. */
function assembled(places: Places, divisor: number): StepCotangents {
  const blockWeights: Record<string, Tensor<'float32'>> = {};
  const headLora: Record<string, Tensor<'float32'>> = {};
  const plain: Record<string, Tensor<'float32'>> = {};
  for (const [place, { shape, sum }] of places) {
    const [kind, name] = parted(place);
    const into = name === undefined ? plain : kind === 'blockWeights' ? blockWeights : headLora;
    into[name ?? kind] = f32(
      shape,
      mapFloats(sum, (value) => value / divisor),
    );
  }
  const { a, b } = headLora;
  return {
    ...plain,
    ...(Object.keys(blockWeights).length === 0 ? {} : { blockWeights }),
    ...(a === undefined || b === undefined ? {} : { headLora: { a, b } }),
  };
}

function parted(place: string): readonly [string, string | undefined] {
  const slash = place.indexOf('/');
  return slash < 0 ? [place, undefined] : [place.slice(0, slash), place.slice(slash + 1)];
}
