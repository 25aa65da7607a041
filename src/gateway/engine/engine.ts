/**
 * Access to the backbone: forward and backward of a step, by tenant and step id
 * (docs/architecture.md).
 *
 * Measured choice: residuals of the weight products are fetched and kept. At GPT-2-small shape they
 * are 0.33 MB a row. Keeping them takes 1.78 s of one core per step of 272 rows; running the
 * forward again takes 2.53 s (1.4 times as much). The first successful vjp drops them. A repeated
 * Backward, or one after eviction, runs the forward again from the kept inputs and gives the same
 * bits. Memory is at most the budget plus, per worker, the residuals of the step that runs there.
 *
 * ONNX Runtime computes and holds every output of a graph, fetched or not. So a forward that keeps
 * no residuals runs a graph without them, with the same bits of output. At GPT-2-small shape and
 * 528 rows this saves 110 MiB and 2-6% of the time.
 */

import { spanKinds } from '../../artifacts/manifest.js';
import { stepGraphsOf } from '../../artifacts/step-graphs.js';
import type { BackboneArtifact } from '../../artifacts/store.js';
import { CutlayerError } from '../../errors.js';
import { throwIfCancelled } from '../../runtime/cancellation.js';
import { type HostOptions, type HostStats, openGraphs, type RunOptions, type SessionHost } from '../../runtime/graphs.js';
import type { NamedTensors } from '../../runtime/protocol.js';
import { releaseTensors, tensorBytes } from '../../runtime/release.js';
import { expectShape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { OpTimes, type OpTiming } from './op-times.js';
import { type CheckedInputs, stepDigest, stepFeeds, stepInputBytes } from './step-inputs.js';
import { StepStore, type StepStoreStats } from './step-store.js';
import { KeyedTurns } from './turns.js';

/** A forward of one step. */
export interface ForwardStep {
  readonly tenant: string;
  readonly inputs: CheckedInputs;
  /** Unique within the tenant; the same id with the same inputs is a retry. */
  readonly stepId: string;
  /** Keep what `backward` needs. */
  readonly training: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** The vjp of a step whose forward has run. */
export interface BackwardStep {
  readonly tenant: string;
  readonly stepId: string;
  /** [N, hiddenSize]: the cotangent of forward's output, row by row. */
  readonly cotangent: Tensor<'float32'>;
  /** Whether to return the cotangent of the hidden states too. */
  readonly wantHiddenStates: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What a vjp gives. */
export interface BackwardResult {
  /** The adapter's shape, summed over the batch; absent without an adapter. */
  readonly adapterCotangent?: Tensor<'float32'>;
  /** [B, S, hiddenSize], when wanted. */
  readonly hiddenStatesCotangent?: Tensor<'float32'>;
}

/** The engine's state, for metrics. */
export interface EngineStats extends HostStats, StepStoreStats {
  /** Calls of `backward` that ran the forward again. */
  readonly recomputes: number;
  /** Time in the workers, by kind of work. */
  readonly ops: Readonly<Record<'forward' | 'recompute' | 'vjp' | 'keyValues', OpTiming>>;
}

/** How to open an engine. */
export interface EngineOptions extends Pick<HostOptions, 'workers' | 'queueLimit' | 'spawn' | 'restartPauseMs'> {
  readonly artifact: BackboneArtifact;
  /** Threads of one operator in each worker. Default: the cores divided among the workers. */
  readonly threadsPerWorker?: number | undefined;
  /** Bytes of inputs and residuals kept between forward and backward. Default 1 GiB. */
  readonly residualMemoryBytes?: number;
  /** Steps remembered at most. Default 4,096. */
  readonly maxSteps?: number;
  /** A step that is not touched for this long is forgotten. Default one hour. */
  readonly stepIdleMs?: number;
  /** The clock in milliseconds; monotonic. */
  readonly now?: () => number;
  /** True waits until every graph is open; by default until the training steps' forwards are. */
  readonly warm?: boolean;
  /** True answers `keyValues` too. Default false. */
  readonly keyValues?: boolean;
}

/** One sequence whose keys and values are wanted. */
export interface KeyValuesInput {
  /** [1, S, hiddenSize], checked: what enters the backbone, at positions 0..S-1. */
  readonly hiddenStates: Tensor<'float32'>;
  readonly signal?: AbortSignal | undefined;
}

/** Share of the budget for answered steps, whose Backward may be retried. */
const ANSWERED_SHARE = 1 / 16;

/** A vjp frees memory, so it goes before waiting forwards. */
const VJP_PRIORITY = 1;

/**
 * Opens a packed backbone and starts its workers.
 * @throws CutlayerError INVALID_ARTIFACT, INVALID_ARGUMENT, UNAVAILABLE
 */
export async function createEngine(options: EngineOptions): Promise<BackboneEngine> {
  const { artifact } = options;
  const { dir, manifest } = artifact;
  const steps = spanKinds.flatMap((kind) => manifest.graphs[kind] ?? []);
  const graphs = [...steps.flatMap(({ forward, vjp }) => [forward.file, vjp.file]), ...steps.map(({ infer }) => infer.file)];
  if (options.keyValues === true) graphs.push(keyValuesGraph(artifact));
  // Opening a vjp is slow (0.5 s at 12 layers: ONNX Runtime's memory planner is quadratic), and
  // it is not needed before the first forward.
  const warm = options.warm === true || steps.map(({ forward }) => forward.file);
  const { threadsPerWorker: threads, workers, queueLimit, spawn, restartPauseMs } = options;
  const source = { dir, weightsFile: manifest.weightsFile, graphs };
  const host = await openGraphs(source, { warm, workers, threads, queueLimit, spawn, restartPauseMs });
  return new BackboneEngine(host, options);
}

/** The backbone, running. */
export class BackboneEngine {
  readonly artifact: BackboneArtifact;
  /** Whether {@link keyValues} is answered. */
  readonly answersKeyValues: boolean;
  readonly #host: SessionHost;
  readonly #steps: StepStore<CheckedInputs, NamedTensors>;
  readonly #turns = new KeyedTurns();
  readonly #times = new OpTimes(['forward', 'recompute', 'vjp', 'keyValues']);
  /** Residual bytes per row of the last forward of each kind: an estimate for the next one. */
  readonly #residualBytesPerRow = new Map<string, number>();
  #recomputes = 0;

  /** Use {@link createEngine}. */
  constructor(host: SessionHost, options: EngineOptions) {
    this.artifact = options.artifact;
    this.answersKeyValues = options.keyValues === true;
    this.#host = host;
    const budgetBytes = options.residualMemoryBytes ?? 2 ** 30;
    this.#steps = new StepStore({
      budgetBytes,
      answeredBytes: budgetBytes * ANSWERED_SHARE,
      maxSteps: options.maxSteps ?? 4096,
      idleMs: options.stepIdleMs ?? 3_600_000,
      now: options.now ?? (() => performance.now()),
      inputBytes: stepInputBytes,
      residualBytes: (residuals) => tensorBytes(Object.values(residuals)),
      release: (residuals) => releaseTensors(Object.values(residuals)),
    });
  }

  /**
   * Runs the backbone; gives its rows at `positions`: [N, hiddenSize]. A training step keeps its
   * inputs. Other inputs are transferred to the worker: their arrays are empty afterwards.
   * @throws CutlayerError ADAPTER_UNSUPPORTED, LIMIT_EXCEEDED, NON_FINITE, STEP_CONFLICT,
   *   QUEUE_FULL, CANCELLED, WORKER_CRASHED, UNAVAILABLE, INTERNAL
   */
  async forward(step: ForwardStep): Promise<Tensor<'float32'>> {
    const { inputs, signal } = step;
    if (!step.training) return (await this.#runForward('forward', inputs, [], { signal, transfer: true })).output;
    const key = stepKey(step);
    return this.#turns.take(key, async () => {
      throwIfCancelled(signal);
      this.#steps.admit(key, stepDigest(inputs), inputs);
      const wanted = this.#wantsResiduals(key, inputs) ? this.#graphs(inputs).residuals : [];
      const { output, residuals } = await this.#runForward('forward', inputs, wanted, { signal });
      if (wanted.length > 0) this.#steps.keepResiduals(key, residuals);
      return output;
    });
  }

  /**
   * Gives the cotangents of a step's inputs; the same call again gives the same bits. The cotangent
   * is transferred to the worker: its array is empty afterwards.
   * @throws CutlayerError as forward; INVALID_SHAPE when the cotangent does not fit the step;
   *   STEP_EVICTED when the step is not held (any more): send forward again
   */
  async backward(step: BackwardStep): Promise<BackwardResult> {
    const key = stepKey(step);
    return this.#turns.take(key, async () => {
      throwIfCancelled(step.signal);
      const { inputs, residuals } = this.#steps.take(key);
      try {
        expectShape('cotangent', step.cotangent.shape, [inputs.positions.length, this.artifact.manifest.dims.hiddenSize]);
      } catch (caught) {
        if (residuals !== undefined) this.#steps.keepResiduals(key, residuals);
        throw caught;
      }
      const usable = residuals ?? (await this.#recompute(inputs, step.signal));
      return this.#runVjp(key, step, inputs, usable);
    });
  }

  /**
   * Gives the keys (after rotary embedding) and values that the blocks would cache for a sequence:
   * [numLayers, 2, S, numKvHeads, headDim]. The hidden states are transferred to the worker: their
   * array is empty afterwards.
   * @throws CutlayerError PREFIX_INIT_REFUSED unless the engine was opened with `keyValues`;
   *   NON_FINITE, QUEUE_FULL, CANCELLED, WORKER_CRASHED, UNAVAILABLE, INTERNAL
   */
  async keyValues({ hiddenStates, signal }: KeyValuesInput): Promise<Tensor<'float32'>> {
    if (!this.answersKeyValues) throw prefixInitRefused();
    const fetches = ['keyValues'];
    const options = { signal, fetches, finite: fetches, transfer: true };
    const { outputs, runMs } = await this.#host.runTimed(keyValuesGraph(this.artifact), { hiddenStates }, options);
    this.#times.add('keyValues', runMs);
    return asFloat32('keyValues', outputs.keyValues);
  }

  stats(): EngineStats {
    return { ...this.#host.stats(), ...this.#steps.stats(), recomputes: this.#recomputes, ops: this.#times.snapshot() };
  }

  /** Fails waiting jobs, finishes running ones, ends the threads. The server drains first. */
  async close(): Promise<void> {
    await this.#host.close();
    this.#steps.clear();
  }

  #graphs(inputs: CheckedInputs): BackboneArtifact['manifest']['graphs']['none'] {
    return stepGraphsOf(this.artifact.manifest, inputs.adapter.kind);
  }

  /** Whether to fetch residuals: not when they are held already or cannot fit the budget. */
  #wantsResiduals(key: string, inputs: CheckedInputs): boolean {
    const perRow = this.#residualBytesPerRow.get(inputs.adapter.kind) ?? 0;
    return !this.#steps.hasResiduals(key) && this.#steps.fits(key, perRow * rowCount(inputs));
  }

  async #runForward(
    op: 'forward' | 'recompute',
    inputs: CheckedInputs,
    residualNames: readonly string[],
    options: Pick<RunOptions, 'signal' | 'priority' | 'transfer'>,
  ): Promise<{ readonly output: Tensor<'float32'>; readonly residuals: NamedTensors }> {
    const { forward, infer } = this.#graphs(inputs);
    const { file } = residualNames.length > 0 ? forward : infer;
    const { outputs, runMs } = await this.#host.runTimed(file, stepFeeds(inputs), {
      ...options,
      fetches: ['output', ...residualNames],
      finite: ['output'],
    });
    this.#times.add(op, runMs);
    const { output, ...residuals } = outputs;
    if (residualNames.length > 0) {
      this.#residualBytesPerRow.set(inputs.adapter.kind, tensorBytes(Object.values(residuals)) / rowCount(inputs));
    }
    return { output: asFloat32('output', output), residuals };
  }

  async #recompute(inputs: CheckedInputs, signal: AbortSignal | undefined): Promise<NamedTensors> {
    const { residuals: names } = this.#graphs(inputs);
    if (names.length === 0) return {};
    this.#recomputes++;
    const { output, residuals } = await this.#runForward('recompute', inputs, names, { signal, priority: VJP_PRIORITY });
    releaseTensors([output]);
    return residuals;
  }

  async #runVjp(key: string, step: BackwardStep, inputs: CheckedInputs, residuals: NamedTensors): Promise<BackwardResult> {
    const { vjp } = this.#graphs(inputs);
    const { kind } = inputs.adapter;
    const adapterName = kind === 'none' ? undefined : `${kind}Cotangent`;
    const fetches = [...(adapterName === undefined ? [] : [adapterName]), ...(step.wantHiddenStates ? ['hiddenStatesCotangent'] : [])];
    if (fetches.length === 0) {
      if (Object.keys(residuals).length > 0) this.#steps.keepResiduals(key, residuals);
      return {};
    }
    // The step keeps its inputs, so they are copied; residuals and cotangent are transferred.
    const kept = Object.entries(stepFeeds(inputs))
      .filter(([name]) => vjp.inputs.includes(name))
      .map(([name, value]): [string, Tensor] => [name, { ...value, data: value.data.slice() }]);
    const feeds = { ...Object.fromEntries(kept), ...residuals, ...(vjp.inputs.includes('cotangent') && { cotangent: step.cotangent }) };
    try {
      const options = { fetches, finite: fetches, transfer: true, priority: VJP_PRIORITY, signal: step.signal };
      const { outputs, runMs } = await this.#host.runTimed(vjp.file, feeds, options);
      this.#times.add('vjp', runMs);
      this.#steps.answered(key);
      return {
        ...(adapterName && { adapterCotangent: asFloat32(adapterName, outputs[adapterName]) }),
        ...(step.wantHiddenStates && { hiddenStatesCotangent: asFloat32('hiddenStatesCotangent', outputs.hiddenStatesCotangent) }),
      };
    } catch (caught) {
      // Refused or cancelled before it started: the residuals were not transferred.
      if (isWhole(residuals)) this.#steps.keepResiduals(key, residuals);
      throw caught;
    }
  }
}

const stepKey = ({ tenant, stepId }: { readonly tenant: string; readonly stepId: string }): string => JSON.stringify([tenant, stepId]);

const rowCount = ({ hiddenStates: { shape } }: CheckedInputs): number => shape[0]! * shape[1]!;

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
