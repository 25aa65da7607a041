/**
 * Access to the backbone: forward and backward of a step, by tenant and step id
 * (docs/architecture.md).
 *
 * Measured choice: residuals of the weight products are fetched and kept. At GPT-2-small shape they
 * are 0.33 MB a row. Keeping them takes 1.78 s of one core per step of 272 rows; running the
 * forward again takes 2.53 s (1.4 times as much). The first successful vjp drops them. A repeated
 * Backward, or one after eviction, runs the forward again from the kept inputs and gives the same
 * bits. Calls, runs and kept steps share one memory budget (memory-budget.ts).
 *
 * ONNX Runtime computes and holds every output of a graph, fetched or not. So a forward that no vjp
 * follows runs a graph without residuals, whose attention holds no scores
 * (compiler/models/fused-attention.ts). Its output differs in the last bits. So every run of a
 * training step is of the other graph, whether its residuals are kept or not.
 *
 * A step of many rows runs slice by slice (step-slices.ts), in a turn each. One with a slice that
 * needs more memory than one run may have is refused before it runs. So is one that needs more time
 * than its call has left.
 */

import { stepGraphsOf } from '../../artifacts/step-graphs.js';
import type { BackboneArtifact } from '../../artifacts/store.js';
import { CutlayerError } from '../../errors.js';
import { throwIfCancelled } from '../../runtime/cancellation.js';
import { type HostOptions, type HostStats, openGraphs, type RunOptions, type SessionHost } from '../../runtime/graphs.js';
import type { NamedTensors } from '../../runtime/protocol.js';
import { releaseTensors, tensorBytes } from '../../runtime/release.js';
import type { MessageAccount } from '../../server/rpc/byte-budget.js';
import { expectShape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { type LimitSource, noLimits } from '../tenants/limits.js';
import { graphOrder } from './graph-order.js';
import { type BudgetStats, MemoryBudget, UNVERIFIED_SHARE } from './memory-budget.js';
import { OpTimes, type OpTiming } from './op-times.js';
import { packedGraphs } from './packed-graphs.js';
import { requireMemory, requireTime } from './refusals.js';
import { RowRates } from './row-rates.js';
import { type HeldCall, Scheduler, type SchedulerStats } from './scheduler.js';
import {
  type CheckedInputs,
  paddedShape,
  paddingBytes,
  sentCotangent,
  stepDigest,
  stepFeeds,
  stepInputBytes,
  vjpFeeds,
} from './step-inputs.js';
import { type Cotangents, joinCotangents, joinOutputs, rowsOf, type StepSlice, sliceStep } from './step-slices.js';
import { StepStore, type StepStoreStats } from './step-store.js';
import { KeyedTurns } from './turns.js';
import { WorkSizes } from './work-size.js';

/** What every call has. */
interface EngineCall {
  readonly tenant: string;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the call's deadline, asked again when its turn comes. Default: no end. */
  readonly leftMs?: () => number;
  /** Takes the bytes of the call's message out of {@link BackboneEngine.messages}. */
  readonly handOver?: () => number;
}

/** A forward of one step. */
export interface ForwardStep extends EngineCall {
  readonly inputs: CheckedInputs;
  /** Unique within the tenant; the same id with the same inputs is a retry. */
  readonly stepId: string;
  /** Keep what `backward` needs. */
  readonly training: boolean;
  /** {@link stepDigest} of the inputs, where the caller has it already. */
  readonly digest?: string;
}

/** The vjp of a step whose forward has run. */
export interface BackwardStep extends EngineCall {
  readonly stepId: string;
  /** [N, hiddenSize]: the cotangent of forward's output, row by row. */
  readonly cotangent: Tensor<'float32'>;
  /** Whether to return the cotangent of the hidden states too. */
  readonly wantHiddenStates: boolean;
  /** Told of the step, before its vjp runs. */
  readonly onStep?: (step: KeptStep) => void;
}

/** A step that the engine holds. */
export interface KeptStep {
  readonly inputs: CheckedInputs;
  /** {@link stepDigest} of them. */
  readonly digest: string;
}

/** The engine's state, for metrics. */
export interface EngineStats extends HostStats, StepStoreStats, BudgetStats, SchedulerStats {
  /** Calls of `backward` that ran the forward again. */
  readonly recomputes: number;
  /** Calls refused before they ran: too large for their time, or for the memory of one run. */
  readonly refusedBySize: number;
  /** Time in the workers, by kind of work. */
  readonly ops: Readonly<Record<'forward' | 'recompute' | 'vjp' | 'keyValues', OpTiming>>;
}

/** A run of a step that has ended, in a turn of its tenant. */
export interface EngineRun {
  readonly op: 'forward' | 'vjp' | 'keyValues';
  readonly tenant: string;
  readonly rows: number;
  /** For its turn. */
  readonly waitMs: number;
  /** In the worker; of a vjp, with the forward that it had to run again. */
  readonly computeMs: number;
  /** Milliseconds since 1970. */
  readonly endedAt: number;
}

/** How to open an engine. */
export interface EngineOptions extends Pick<HostOptions, 'workers' | 'queueLimit' | 'spawn' | 'restartPauseMs'> {
  readonly artifact: BackboneArtifact;
  /** Threads of one operator in each worker. Default: the cores divided among the workers. */
  readonly threadsPerWorker?: number | undefined;
  /** Bytes of inputs and residuals kept between forward and backward. Default 1 GiB. */
  readonly residualMemoryBytes?: number;
  /** Bytes of calls, runs and kept steps together. Default: four times those of kept steps. */
  readonly memoryBytes?: number | undefined;
  /** Bytes of one tenant's calls and steps. Default: what all may have. */
  readonly tenantLimits?: LimitSource;
  /** Steps remembered at most, of all tenants. Default 4,096. */
  readonly maxSteps?: number;
  /** A step that is not touched for this long is forgotten. Default one hour. */
  readonly stepIdleMs?: number;
  /** Forgets a step when it is answered, and an idle one without a further call. Default false. */
  readonly keepNothing?: boolean;
  /** Told of each run, when its call has had all of them, in the call's async context. */
  readonly observeRun?: (run: EngineRun) => void;
  /** The clock in milliseconds; monotonic. */
  readonly now?: () => number;
  /** Bytes for copies of the weights that make products faster (packed-graphs.ts). Default 0. */
  readonly packedBytes?: number;
  /**
   * True waits until every graph is open. By default only until the most used forward is: the
   * others open between calls (graph-order.ts). False opens each on its first use.
   */
  readonly warm?: boolean;
  /** Told of a graph that cannot be opened later; calls that need it fail with the same error. */
  readonly onBrokenGraph?: HostOptions['onBroken'];
  /** True answers `keyValues` too. Default false. */
  readonly keyValues?: boolean;
}

/** One sequence whose keys and values are wanted. */
export interface KeyValuesInput extends EngineCall {
  /** [1, S, hiddenSize], checked: what enters the backbone, at positions 0..S-1. */
  readonly hiddenStates: Tensor<'float32'>;
}

const DEFAULT_KEPT_BYTES = 2 ** 30;

/** The whole budget without a setting, in budgets of kept steps. */
const DEFAULT_MEMORY = 4;

/** Share of the budget for answered steps, whose Backward may be retried. */
const ANSWERED_SHARE = 1 / 16;

/** How often idle steps are looked for where nothing is kept. */
const FORGET_EVERY_MS = 10_000;

/** What decoding is called among tenants: no tenant of a token has such a name. */
const DECODING = '(decoding)';

/** A vjp frees memory, so it goes before the tenant's waiting forwards. */
const VJP_PRIORITY = 1;

/**
 * Opens a packed backbone and starts its workers.
 * @throws CutlayerError INVALID_ARTIFACT, INVALID_ARGUMENT, UNAVAILABLE
 */
export async function createEngine(options: EngineOptions): Promise<BackboneEngine> {
  const { artifact } = options;
  const { dir, manifest } = artifact;
  const { first, later } = graphOrder(manifest);
  const graphs = [...first, ...later, ...(options.keyValues === true ? [keyValuesGraph(artifact)] : [])];
  const { threadsPerWorker: threads, workers, spawn, restartPauseMs, warm = first, onBrokenGraph: onBroken } = options;
  const source = { dir, weightsFile: manifest.weightsFile, graphs };
  // Jobs wait in the engine's own queue; the host's has those whose worker is starting.
  const packed = packedGraphs(manifest, { bytes: options.packedBytes ?? 0, workers: workers ?? 1 }).files;
  const host = await openGraphs(source, { warm, packed, workers, threads, queueLimit: workers, spawn, restartPauseMs, onBroken });
  return new BackboneEngine(host, options);
}

/** One run of a job. */
interface Run<T> {
  readonly rows: number;
  readonly workBytes: number;
  /** Estimated when a turn comes. @returns milliseconds; undefined when nothing was measured */
  readonly estimateMs: () => number | undefined;
  readonly work: () => Promise<T>;
  readonly keep?: (result: T) => void;
}

/** The runs of a call, in their order. */
interface Runs<T> {
  readonly op: EngineRun['op'];
  readonly call: EngineCall;
  readonly held: HeldCall;
  readonly runs: readonly Run<T>[];
  readonly priority?: number;
  /** Frees the result of a run whose caller has gone. */
  readonly discard: (result: T) => void;
}

/** The backbone, running. */
export class BackboneEngine {
  readonly artifact: BackboneArtifact;
  /** Whether {@link keyValues} is answered. */
  readonly answersKeyValues: boolean;
  readonly #host: SessionHost;
  readonly #budget: MemoryBudget;
  readonly #observeRun: EngineOptions['observeRun'];
  readonly #scheduler: Scheduler;
  readonly #steps: StepStore<CheckedInputs, NamedTensors>;
  readonly #turns = new KeyedTurns();
  readonly #times = new OpTimes(['forward', 'recompute', 'vjp', 'keyValues']);
  readonly #rates: RowRates;
  readonly #sizes: WorkSizes;
  readonly #idle: NodeJS.Timeout | undefined;
  #recomputes = 0;
  #refusedBySize = 0;

  /** Use {@link createEngine}. */
  constructor(host: SessionHost, options: EngineOptions) {
    this.artifact = options.artifact;
    this.answersKeyValues = options.keyValues === true;
    this.#host = host;
    const keptBytes = options.residualMemoryBytes ?? DEFAULT_KEPT_BYTES;
    const limitBytes = options.memoryBytes ?? Math.max(keptBytes, DEFAULT_KEPT_BYTES) * DEFAULT_MEMORY;
    const now = options.now ?? (() => performance.now());
    const unverifiedBytes = Math.floor(limitBytes * UNVERIFIED_SHARE);
    this.#budget = new MemoryBudget({ limitBytes, keptBytes, unverifiedBytes }, (room) => this.#steps.resize(room));
    const { tenantLimits: limits = noLimits } = options;
    this.#observeRun = options.observeRun;
    this.#scheduler = new Scheduler({
      workers: host.stats().workers,
      waitingLimit: options.queueLimit ?? 64,
      budget: this.#budget,
      limits,
    });
    this.#rates = new RowRates(now);
    this.#sizes = new WorkSizes(options.artifact.manifest.dims);
    this.#steps = new StepStore({
      budgetBytes: Math.min(keptBytes, limitBytes),
      answeredBytes: options.keepNothing === true ? 'none' : keptBytes * ANSWERED_SHARE,
      limits,
      maxSteps: options.maxSteps ?? 4096,
      idleMs: options.stepIdleMs ?? 3_600_000,
      now,
      inputBytes: stepInputBytes,
      residualBytes: (residuals) => tensorBytes(Object.values(residuals)),
      release: (residuals) => releaseTensors(Object.values(residuals)),
    });
    if (options.keepNothing === true) this.#idle = setInterval(() => this.#steps.forgetIdle(), FORGET_EVERY_MS).unref();
  }

  /**
   * Runs the backbone; gives its rows at `positions`: [N, hiddenSize]. A training step keeps its
   * inputs. Other inputs are transferred to the worker: their arrays are empty afterwards.
   * @throws CutlayerError ADAPTER_UNSUPPORTED, LIMIT_EXCEEDED, NON_FINITE, STEP_CONFLICT,
   *   QUEUE_FULL, CANCELLED, DEADLINE_EXCEEDED (it would take longer than it has), WORKER_CRASHED,
   *   UNAVAILABLE, INTERNAL
   */
  async forward(step: ForwardStep): Promise<Tensor<'float32'>> {
    this.requirePlace(step.tenant);
    const { inputs, signal } = step;
    const slices = sliceStep(inputs);
    const forward = async (held: HeldCall, residuals: readonly string[]): Promise<Tensor<'float32'>> => {
      const runs = this.#forwardRuns(step, slices, residuals);
      const parts = await this.#run({ op: 'forward', call: step, held, runs, discard: ({ output }) => releaseTensors([output]) });
      return joinOutputs(parts.map(({ output }) => output));
    };
    const rowBytes = this.artifact.manifest.dims.hiddenSize * Float32Array.BYTES_PER_ELEMENT;
    const joinedBytes = slices.length > 1 ? inputs.positions.length * rowBytes : 0;
    return this.#holding(step, stepInputBytes(inputs) + joinedBytes, async (held) => {
      if (!step.training) return forward(held, []);
      // Its vjp will need the residuals, kept or computed again.
      for (const slice of slices) this.#requireMemory(slice.inputs, this.#trainingBytes(slice.inputs, feedBytes(slice.inputs)));
      return this.#turns.take(turnKey(step), async () => {
        throwIfCancelled(signal);
        this.#steps.admit(step, step.digest ?? stepDigest(inputs), inputs);
        return forward(held, this.#residualsFit(step) ? this.#graphs(inputs).residuals : []);
      });
    });
  }

  /**
   * Gives the cotangents of a step's inputs; the same call again gives the same bits. The cotangent
   * is transferred to the worker: its array is empty afterwards.
   * @throws CutlayerError as forward; INVALID_SHAPE when the cotangent does not fit the step;
   *   STEP_EVICTED when the step is not held (any more): send forward again
   */
  async backward(step: BackwardStep): Promise<Cotangents> {
    this.requirePlace(step.tenant);
    return this.#holding(step, step.cotangent.data.byteLength, (held) =>
      this.#turns.take(turnKey(step), async () => {
        throwIfCancelled(step.signal);
        const inputs = this.#steps.inputs(step);
        step.onStep?.({ inputs, digest: this.#steps.digest(step) });
        expectShape('cotangent', step.cotangent.shape, [inputs.positions.length, this.artifact.manifest.dims.hiddenSize]);
        if (this.#wantedCotangents(step, inputs).length === 0) return {};
        const slices = sliceStep(inputs);
        const joinedBytes = step.wantHiddenStates && slices.length > 1 ? inputs.hiddenStates.data.byteLength : 0;
        const runs = this.#vjpRuns(step, slices);
        const discard = (result: Cotangents): void => releaseTensors(Object.values(result));
        return this.#holding({ tenant: step.tenant }, joinedBytes, async () =>
          joinCotangents(inputs, slices, await this.#run({ op: 'vjp', call: step, held, runs, priority: VJP_PRIORITY, discard })),
        );
      }),
    );
  }

  /**
   * Gives the keys (after rotary embedding) and values that the blocks would cache for a sequence:
   * [numLayers, 2, S, numKvHeads, headDim]. The hidden states are transferred to the worker: their
   * array is empty afterwards.
   * @throws CutlayerError PREFIX_INIT_REFUSED unless the engine was opened with `keyValues`;
   *   NON_FINITE, LIMIT_EXCEEDED, QUEUE_FULL, CANCELLED, DEADLINE_EXCEEDED, WORKER_CRASHED,
   *   UNAVAILABLE, INTERNAL
   */
  async keyValues(call: KeyValuesInput): Promise<Tensor<'float32'>> {
    if (!this.answersKeyValues) throw prefixInitRefused();
    const { hiddenStates } = call;
    const rows = hiddenStates.shape[1]!;
    const inputBytes = hiddenStates.data.byteLength;
    const { numLayers, numKvHeads, headDim } = this.artifact.manifest.dims;
    const outputBytes = 2 * numLayers * numKvHeads * headDim * rows * Float32Array.BYTES_PER_ELEMENT;
    const fetches = ['keyValues'];
    const run: Run<Tensor<'float32'>> = {
      rows,
      workBytes: this.#sizes.withoutResiduals(rows, inputBytes) + outputBytes,
      estimateMs: () => this.#rates.estimate('keyValues', rows),
      work: async () => {
        const options = { fetches, finite: fetches, transfer: true };
        const { outputs, runMs } = await this.#host.runTimed(keyValuesGraph(this.artifact), { hiddenStates }, options);
        this.#times.add('keyValues', runMs);
        this.#rates.note('keyValues', rows, runMs);
        return asFloat32('keyValues', outputs.keyValues);
      },
    };
    const discard = (output: Tensor): void => releaseTensors([output]);
    return this.#holding(call, inputBytes, async (held) => (await this.#run({ op: 'keyValues', call, held, runs: [run], discard }))[0]!);
  }

  /**
   * Refuses a call that would find no place in the queue now. Asked before a request is read, so
   * that a tenant which repeats refused calls takes no time of others.
   * @throws CutlayerError QUEUE_FULL
   */
  requirePlace(tenant: string): void {
    this.#scheduler.requirePlace(tenant);
  }

  /** Counts bytes of a call that is no step. @throws CutlayerError LIMIT_EXCEEDED, QUEUE_FULL */
  hold(tenant: string, bytes: number): HeldCall {
    return this.#scheduler.hold(tenant, bytes);
  }

  /**
   * Runs a turn of decoding, in a worker's place. Decoding has the turns of one tenant, whichever
   * tenants it is for: beside one that trains it has half of the rows.
   * @throws CutlayerError QUEUE_FULL, UNAVAILABLE (closed), and what `work` throws
   */
  async turn(job: { readonly rows: number; readonly work: () => Promise<void> }): Promise<void> {
    const sizes = this.#sizes;
    const { hiddenSize } = this.artifact.manifest.dims;
    const call = this.#scheduler.hold(DECODING, 0);
    await this.#scheduler.run({
      ...{ tenant: DECODING, priority: 0, call, work: job.work, discard: () => undefined },
      get rows() {
        return job.rows;
      },
      get workBytes() {
        return sizes.withoutResiduals(job.rows, job.rows * hiddenSize * Float32Array.BYTES_PER_ELEMENT);
      },
    });
  }

  /** The memory of calls, for a server that counts the messages in it from their first byte. */
  get messages(): MessageAccount {
    const [budget, scheduler] = [this.#budget, this.#scheduler];
    return {
      limitBytes: budget.callLimit,
      unverifiedLimitBytes: budget.unverifiedLimit,
      take: (tenant, bytes) => scheduler.take(tenant, bytes),
      add: (tenant, bytes) => (tenant === undefined ? budget.addUnverified(bytes) : budget.addCall(tenant, bytes)),
    };
  }

  /** Bytes that a tenant's calls, and its kept steps, hold. */
  heldBy(tenant: string): { readonly inFlightBytes: number; readonly residualBytes: number } {
    return { inFlightBytes: this.#budget.calls.of(tenant), residualBytes: this.#steps.heldBy(tenant) };
  }

  /** Drops the kept steps of a tenant; its running calls end by their signals. */
  forgetTenant(tenant: string): void {
    this.#steps.forgetTenant(tenant);
  }

  stats(): EngineStats {
    const [host, scheduler] = [this.#host.stats(), this.#scheduler.stats()];
    return {
      ...host,
      ...this.#steps.stats(),
      ...this.#budget.stats(),
      ...scheduler,
      queueLength: host.queueLength + scheduler.queueLength,
      recomputes: this.#recomputes,
      refusedBySize: this.#refusedBySize,
      ops: this.#times.snapshot(),
    };
  }

  /** Fails waiting jobs, finishes running ones, ends the threads. The server drains first. */
  async close(): Promise<void> {
    clearInterval(this.#idle);
    this.#scheduler.close();
    await this.#host.close();
    this.#steps.clear();
  }

  #graphs(inputs: CheckedInputs): BackboneArtifact['manifest']['graphs']['none'] {
    return stepGraphsOf(this.artifact.manifest, inputs.adapter.kind);
  }

  /** Counts a call's bytes while `work` goes on, with those of its message, which it takes over. */
  async #holding<T>({ tenant, handOver }: EngineCall, bytes: number, work: (held: HeldCall) => Promise<T>): Promise<T> {
    const held = this.#scheduler.hold(tenant, bytes + (handOver?.() ?? 0));
    try {
      return await work(held);
    } finally {
      held.release();
    }
  }

  /**
   * Runs the runs of a call in turns of its tenant. They must end in time by now, and what is left
   * again in each turn.
   */
  async #run<T>({ op, call, held, runs, priority = 0, discard }: Runs<T>): Promise<readonly T[]> {
    const { tenant, signal, leftMs } = call;
    const results: T[] = [];
    const timed: EngineRun[] = [];
    let waitsSince = performance.now();
    const next = (): Run<T> => runs[results.length]!; // asked while the job waits: a run is left
    const check = (): void => {
      if (leftMs === undefined) return;
      const left = runs.slice(results.length);
      const rows = left.reduce((sum, run) => sum + run.rows, 0);
      this.#refusing(() => requireTime({ rows, estimateMs: sumOf(left.map(({ estimateMs }) => estimateMs())), leftMs: leftMs() }));
    };
    check();
    const { workLimit } = this.#budget;
    const job = {
      ...{ tenant, priority, call: held, signal, check, discard },
      get rows() {
        return next().rows;
      },
      get workBytes() {
        return Math.min(next().workBytes, workLimit);
      },
      work: async () => {
        const from = performance.now();
        const { rows } = next();
        const result = await next().work();
        const to = performance.now();
        timed.push({ op, tenant, rows, waitMs: from - waitsSince, computeMs: to - from, endedAt: Date.now() });
        waitsSince = to;
        return result;
      },
      keep: (result: T) => {
        next().keep?.(result);
        results.push(result);
      },
      goesOn: () => results.length < runs.length,
    };
    try {
      await this.#scheduler.run(job);
      for (const run of timed) this.#observeRun?.(run);
      return results;
    } catch (caught) {
      for (const result of results) discard(result);
      const error = CutlayerError.from(caught);
      if (error.code === 'WORKER_CRASHED' && this.#host.stats().hopeless) this.#scheduler.failWaiting(() => error);
      throw error;
    }
  }

  #refusing(check: () => void): void {
    try {
      check();
    } catch (refusal) {
      this.#refusedBySize++;
      throw refusal;
    }
  }

  /** An assumed size refuses nothing. @throws CutlayerError LIMIT_EXCEEDED */
  #requireMemory(inputs: CheckedInputs, workBytes: number): void {
    const rows = rowCount(inputs);
    if (this.#sizes.measured(inputs.adapter.kind, rows) === undefined) return;
    this.#refusing(() => requireMemory({ rows, workBytes, limitBytes: this.#budget.workLimit }));
  }

  #estimateMs(op: 'forward' | 'vjp', inputs: CheckedInputs): number | undefined {
    return this.#rates.estimate(`${op} ${inputs.adapter.kind}`, rowCount(inputs));
  }

  /** The vjp, and the forward again when its residuals are not held. */
  #estimateBackwardMs(step: BackwardStep, { index, inputs }: StepSlice): number | undefined {
    const vjp = this.#estimateMs('vjp', inputs);
    const again = this.#steps.hasResiduals(step, index) ? 0 : this.#estimateMs('forward', inputs);
    return vjp === undefined ? again : vjp + (again ?? 0);
  }

  #forwardBytes(inputs: CheckedInputs, training: boolean): number {
    const inputBytes = feedBytes(inputs);
    return training ? this.#trainingBytes(inputs, inputBytes) : this.#sizes.withoutResiduals(rowCount(inputs), inputBytes);
  }

  #trainingBytes(inputs: CheckedInputs, inputBytes: number): number {
    return this.#sizes.withResiduals(inputs.adapter.kind, rowCount(inputs), inputBytes);
  }

  /** Whether the residuals of a step would be kept. */
  #residualsFit(step: ForwardStep): boolean {
    return this.#steps.fits(step, this.#sizes.measured(step.inputs.adapter.kind, rowCount(step.inputs)) ?? 0);
  }

  /** The forward's runs. Residuals that are held already are not fetched again. */
  #forwardRuns(step: ForwardStep, slices: readonly StepSlice[], residualNames: readonly string[]): Run<StepOutputs>[] {
    return slices.map(({ inputs, rows, index }) => {
      const names = this.#steps.hasResiduals(step, index) ? [] : residualNames;
      return {
        rows,
        workBytes: this.#forwardBytes(inputs, step.training),
        estimateMs: () => this.#estimateMs('forward', inputs),
        work: () =>
          this.#runForward('forward', inputs, step.training ? names : 'never', { transfer: !step.training && slices.length === 1 }),
        ...(names.length > 0 && { keep: ({ residuals }: StepOutputs) => this.#steps.keepResiduals(step, residuals, index) }),
      };
    });
  }

  /** @throws CutlayerError LIMIT_EXCEEDED */
  #vjpRuns(step: BackwardStep, slices: readonly StepSlice[]): Run<Cotangents>[] {
    let recomputed = false;
    return slices.map((slice) => {
      const { inputs, rows, index } = slice;
      const cotangentBytes = inputs.positions.length * this.artifact.manifest.dims.hiddenSize * Float32Array.BYTES_PER_ELEMENT;
      const workBytes = this.#trainingBytes(inputs, feedBytes(inputs) + cotangentBytes);
      this.#requireMemory(inputs, workBytes);
      return {
        rows,
        workBytes,
        estimateMs: () => this.#estimateBackwardMs(step, slice),
        work: async () => {
          const { residuals } = this.#steps.take(step, index);
          if (residuals !== undefined) return this.#runVjp(step, slice, residuals);
          if (!recomputed) this.#recomputes++;
          recomputed = true;
          return this.#runVjp(step, slice, await this.#recompute(inputs));
        },
        ...(slice === slices.at(-1) && { keep: () => this.#steps.answered(step) }),
      };
    });
  }

  /** @param wanted the residuals to fetch now; `never` where no vjp follows */
  async #runForward(
    op: 'forward' | 'recompute',
    inputs: CheckedInputs,
    wanted: readonly string[] | 'never',
    options: Pick<RunOptions, 'transfer'> = {},
  ): Promise<StepOutputs> {
    const { forward, infer } = this.#graphs(inputs);
    const { file, inputs: names } = wanted === 'never' ? infer : forward;
    const residualNames = wanted === 'never' ? [] : wanted;
    const { kind } = inputs.adapter;
    const rows = rowCount(inputs);
    const { outputs, runMs } = await this.#host.runTimed(file, stepFeeds(inputs, names), {
      ...options,
      fetches: ['output', ...residualNames],
      finite: ['output'],
    });
    this.#times.add(op, runMs);
    this.#rates.note(`forward ${kind}`, rows, runMs);
    const { output, ...residuals } = outputs;
    if (residualNames.length > 0) this.#sizes.note(kind, tensorBytes(Object.values(residuals)), rows);
    return { output: asFloat32('output', output), residuals };
  }

  async #recompute(inputs: CheckedInputs): Promise<NamedTensors> {
    const { residuals: names } = this.#graphs(inputs);
    if (names.length === 0) return {};
    const { output, residuals } = await this.#runForward('recompute', inputs, names);
    releaseTensors([output]);
    return residuals;
  }

  /** The outputs of the vjp that a Backward asks for. */
  #wantedCotangents({ wantHiddenStates }: BackwardStep, { adapter: { kind } }: CheckedInputs): string[] {
    return [...(kind === 'none' ? [] : [`${kind}Cotangent`]), ...(wantHiddenStates ? ['hiddenStatesCotangent'] : [])];
  }

  async #runVjp(step: BackwardStep, slice: StepSlice, residuals: NamedTensors): Promise<Cotangents> {
    const { inputs, index } = slice;
    const { vjp } = this.#graphs(inputs);
    const { kind } = inputs.adapter;
    try {
      // The caller may have gone while the forward ran again.
      throwIfCancelled(step.signal);
      // The step keeps its inputs, so they are copied; residuals and cotangent are transferred.
      const kept = Object.entries(vjpFeeds(inputs, vjp.inputs, step.wantHiddenStates)).map(([name, value]): [string, Tensor] => [
        name,
        { ...value, data: value.data.slice() },
      ]);
      const cotangent = rowsOf(slice, step.cotangent);
      const feeds = { ...Object.fromEntries(kept), ...residuals, ...(vjp.inputs.includes('cotangent') && { cotangent }) };
      const fetches = this.#wantedCotangents(step, inputs);
      const { outputs, runMs } = await this.#host.runTimed(vjp.file, feeds, { fetches, finite: fetches, transfer: true });
      this.#times.add('vjp', runMs);
      this.#rates.note(`vjp ${kind}`, rowCount(inputs), runMs);
      return {
        ...(kind !== 'none' && { adapterCotangent: asFloat32(`${kind}Cotangent`, outputs[`${kind}Cotangent`]) }),
        ...(step.wantHiddenStates && {
          hiddenStatesCotangent: sentCotangent(inputs, asFloat32('hiddenStatesCotangent', outputs.hiddenStatesCotangent)),
        }),
      };
    } catch (caught) {
      // Refused or cancelled before it started: the residuals were not transferred.
      if (isWhole(residuals)) this.#steps.keepResiduals(step, residuals, index);
      throw caught;
    }
  }
}

/** What a forward gives. */
interface StepOutputs {
  readonly output: Tensor<'float32'>;
  readonly residuals: NamedTensors;
}

const turnKey = ({ tenant, stepId }: { readonly tenant: string; readonly stepId: string }): string => JSON.stringify([tenant, stepId]);

/** The sum; undefined when one of them is not known. */
const sumOf = (values: readonly (number | undefined)[]): number | undefined =>
  values.reduce((sum, value) => (sum === undefined || value === undefined ? undefined : sum + value), 0);

/** Rows of text that run, padding among them. */
const rowCount = (inputs: CheckedInputs): number => {
  const [batch, sequence] = paddedShape(inputs);
  return batch * sequence;
};

/** Bytes of a step's inputs beside a run that is fed them. */
const feedBytes = (inputs: CheckedInputs): number => stepInputBytes(inputs) + paddingBytes(inputs);

/** Whether no array has been transferred to a worker. */
const isWhole = (tensors: NamedTensors): boolean => {
  const all = Object.values(tensors);
  return all.length > 0 && all.every(({ shape, data }) => data.length > 0 || shape.includes(0));
};

function asFloat32(name: string, value: Tensor | undefined): Tensor<'float32'> {
  if (value?.dtype === 'float32') return value as Tensor<'float32'>;
  throw new CutlayerError('INVALID_ARTIFACT', `${name}: expected a float32 output of the backbone's graph, got ${value?.dtype ?? 'none'}`);
}

/** The file of the graph behind `keyValues`. @throws CutlayerError INVALID_ARTIFACT */
function keyValuesGraph({ dir, manifest }: BackboneArtifact): string {
  const graph = manifest.graphs.keyValues;
  if (graph !== undefined) return graph.file;
  throw new CutlayerError(
    'INVALID_ARTIFACT',
    `${dir}: this backbone has no graph of keys and values, so no prefix can begin from real ones`,
  );
}

/** The refusal of keys and values, by service and engine. */
export function prefixInitRefused(): CutlayerError {
  return new CutlayerError(
    'PREFIX_INIT_REFUSED',
    "keyValues: the vendor's policy does not give out keys and values of real tokens; begin the prefix with --init RANDOM",
  );
}
