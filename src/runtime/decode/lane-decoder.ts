/**
 * Computes rows on lanes: spans of rows whose keys and values are kept. The lanes are in one worker
 * thread. The decoder knows nothing of tenants, sessions, budgets or time.
 */
import { CutlayerError } from '../../errors.js';
import { allFinite } from '../../tensor/finite.js';
import { f32, type Tensor } from '../../tensor/tensor.js';
import { cancelled, throwIfCancelled } from '../cancellation.js';
import { buffersOf } from '../release.js';
import { crashed, DecodeWorker, type SpawnDecodeWorker } from './decode-worker.js';
import type { DecodeSettings } from './protocol.js';

/** Memory of keys and values for one span of rows. */
export interface Lane {
  readonly id: number;
  /** In rows. */
  readonly capacity: number;
}

/** Rows for one lane. */
export interface LaneRows {
  readonly lane: Lane;
  /** Rows of the lane that stay valid: the new ones start here. At most what the lane holds. */
  readonly from: number;
  /** [S, hiddenSize] */
  readonly rows: Tensor<'float32'>;
}

/** The values of weights that a graph has as inputs, by the inputs' names. They do not change. */
export type GivenWeights = Readonly<Record<string, Tensor<'float32'>>>;

/** What a lane is of, beside its rows. */
export interface LaneOptions {
  /**
   * Those that the graph has as inputs, the same for all rows of the lane. Lanes with the same
   * object share one copy.
   */
  readonly weights?: GivenWeights | undefined;
  /**
   * The lane's sequence is longer than `maxRows` in the end: all its rows, the first ones too, have
   * the rope of long sequences. Default false.
   */
  readonly longRope?: boolean | undefined;
}

export interface Decoder {
  /** Bytes of keys and values of one row, all blocks. */
  readonly bytesPerRow: number;
  /** Rows of the longest span. */
  readonly maxRows: number;
  /** Rows of the longest span with the rope of long sequences; 0: there is none. */
  readonly longRows: number;
  /** Bytes that `allocate(rows)` takes: rows are rounded up. */
  laneBytes(rows: number): number;
  /**
   * Makes an empty lane. Starts the worker again if it has crashed.
   * @throws CutlayerError LIMIT_EXCEEDED (more than `maxRows`, or `longRows`), OUT_OF_MEMORY,
   *   WORKER_CRASHED, UNAVAILABLE
   */
  allocate(rows: number, options?: LaneOptions): Promise<Lane>;
  /**
   * Appends rows to lanes, each at most once in a batch. A row's bits depend on its lane's content
   * alone: not on other lanes of the batch, not on how rows were cut into calls.
   * @returns the backbone's output rows [S, hiddenSize] of each lane, in order. Where a lane's are
   *   not all finite, its new rows are dropped: it holds `from` rows.
   * @throws CutlayerError INVALID_ARGUMENT, INVALID_SHAPE, LIMIT_EXCEEDED, CANCELLED, QUEUE_FULL,
   *   OUT_OF_MEMORY, WORKER_CRASHED (every lane is lost), UNAVAILABLE
   */
  append(batch: readonly LaneRows[], signal?: AbortSignal): Promise<readonly Tensor<'float32'>[]>;
  /**
   * Replaces a lane's content by P rows of a prefix.
   * @param keyValues [layers, 2, P, numKvHeads, headDim]: keys after rotary embedding, values
   * @throws CutlayerError INVALID_SHAPE, NON_FINITE, LIMIT_EXCEEDED, WORKER_CRASHED, UNAVAILABLE
   */
  writePrefix(lane: Lane, keyValues: Tensor<'float32'>): Promise<void>;
  /**
   * Replaces a lane's rows from row `at` on, by default all, by the first rows of another, whose
   * capacity may differ, but not its rope.
   * @throws CutlayerError INVALID_ARGUMENT, LIMIT_EXCEEDED, QUEUE_FULL, WORKER_CRASHED, UNAVAILABLE
   */
  copy(from: Lane, to: Lane, rows: number, at?: number): Promise<void>;
  /**
   * Copies rows of a lane into a new one of just so many rows, which is only there to be copied. It
   * takes `rows * bytesPerRow` bytes.
   * @throws CutlayerError INVALID_ARGUMENT, QUEUE_FULL, OUT_OF_MEMORY, WORKER_CRASHED, UNAVAILABLE
   */
  keep(lane: Lane, from: number, rows: number): Promise<Lane>;
  /** Gives a lane's memory back. A lane of a crashed worker has none. */
  release(lane: Lane): Promise<void>;
  close(): Promise<void>;
}

/** The graph, its lanes' layout, and the longest span. */
export interface LaneDecoderOptions extends Omit<DecodeSettings, 'hasRopeLength'> {
  readonly maxRows: number;
  /** Of the rope of long sequences, where the graph has one. */
  readonly longRows?: number | undefined;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly spawn?: SpawnDecodeWorker | undefined;
}

/**
 * Opens a decode graph in a worker thread, which holds a copy of its weights.
 * @throws CutlayerError INVALID_ARTIFACT, UNSUPPORTED_OP, UNAVAILABLE
 */
export async function openLaneDecoder(options: LaneDecoderOptions): Promise<Decoder> {
  const { maxRows, longRows = 0, numKvHeads, headDim, spawn, ...layout } = options;
  const settings = { ...layout, hasRopeLength: longRows > 0 };
  const worker = new DecodeWorker(settings, spawn);
  await worker.start();
  return new LaneDecoder(worker, settings, { maxRows, longRows }, [settings.layers, 2, numKvHeads, headDim]);
}

type Layout = Pick<DecodeSettings, 'layers' | 'hiddenSize' | 'keyBlock'>;

/** What is known of a lane on this side. */
interface LaneState {
  readonly generation: number;
  readonly longRope: boolean;
  readonly weights: GivenWeights | undefined;
  /** Rows that it holds. */
  rows: number;
}

/** Weights that the worker has. */
interface HeldWeights {
  readonly id: number;
  readonly generation: number;
  /** Lanes that use them. */
  lanes: number;
}

class LaneDecoder implements Decoder {
  readonly bytesPerRow: number;
  readonly maxRows: number;
  readonly longRows: number;
  readonly #worker: DecodeWorker;
  readonly #layout: Layout;
  /** layers, 2, numKvHeads, headDim */
  readonly #rowShape: readonly [number, number, number, number];
  readonly #lanes = new Map<number, LaneState>();
  readonly #weights = new Map<GivenWeights, HeldWeights>();
  #nextId = 1;

  constructor(
    worker: DecodeWorker,
    layout: Layout,
    { maxRows, longRows }: { readonly maxRows: number; readonly longRows: number },
    rowShape: readonly [number, number, number, number],
  ) {
    this.#worker = worker;
    this.#layout = layout;
    this.maxRows = maxRows;
    this.longRows = longRows;
    this.#rowShape = rowShape;
    this.bytesPerRow = rowShape.reduce((product, dim) => product * dim, Float32Array.BYTES_PER_ELEMENT);
  }

  laneBytes(rows: number): number {
    return this.#capacity(rows) * this.bytesPerRow;
  }

  async allocate(rows: number, { weights, longRope = false }: LaneOptions = {}): Promise<Lane> {
    const limit = this.#limit(longRope);
    if (!Number.isSafeInteger(rows) || rows < 1 || rows > limit)
      throw new CutlayerError('LIMIT_EXCEEDED', `lane: expected 1 to ${limit} rows, got ${rows}`, { details: { limit } });
    await this.#worker.start();
    const { generation } = this.#worker;
    for (const [id, state] of this.#lanes) if (state.generation !== generation) this.#lanes.delete(id);
    for (const [given, held] of this.#weights) if (held.generation !== generation) this.#weights.delete(given);
    const lane = { id: this.#nextId++, capacity: this.#capacity(rows) };
    this.#lanes.set(lane.id, { generation, longRope, weights, rows: 0 });
    try {
      // Not awaited apart: the worker works in order.
      const sent = weights && this.#use(weights, generation);
      const allocated = this.#worker.call({
        type: 'allocate',
        lane: lane.id,
        capacity: lane.capacity,
        ropeLength: limit,
        weights: sent?.id,
      });
      await Promise.all([sent?.sending, allocated]);
      return lane;
    } catch (caught) {
      await this.release(lane).catch(() => undefined);
      throw caught;
    }
  }

  /** The weights' id in the worker, to which they go once. */
  #use(weights: GivenWeights, generation: number): { readonly id: number; readonly sending?: Promise<unknown> } {
    const held = this.#weights.get(weights);
    if (held?.generation === generation) {
      held.lanes++;
      return held;
    }
    const id = this.#nextId++;
    this.#weights.set(weights, { id, generation, lanes: 1 });
    const tensors = Object.fromEntries(Object.entries(weights).map(([name, { shape, data }]) => [name, f32(shape, data.slice())]));
    return { id, sending: this.#worker.call({ type: 'hold', weights: id, tensors }, buffersOf(Object.values(tensors))) };
  }

  /** The last lane that uses weights has gone. */
  async #unuse(weights: GivenWeights): Promise<void> {
    const held = this.#weights.get(weights);
    if (held === undefined || --held.lanes > 0) return;
    this.#weights.delete(weights);
    if (held.generation === this.#worker.generation) await this.#worker.call({ type: 'drop', weights: held.id });
  }

  async append(batch: readonly LaneRows[], signal?: AbortSignal): Promise<readonly Tensor<'float32'>[]> {
    throwIfCancelled(signal);
    if (new Set(batch.map(({ lane }) => lane.id)).size < batch.length)
      throw new CutlayerError('INVALID_ARGUMENT', 'append: expected each lane at most once in a batch');
    const states = batch.map((member) => this.#checked(member));
    const copies = batch.map(({ lane, from, rows }) => ({ lane: lane.id, from, rows: rows.data.slice() }));
    const answer = this.#worker.call(
      { type: 'append', batch: copies },
      copies.map(({ rows }) => rows.buffer),
    );
    // A cancelled run goes on, so its rows from `from` on are not valid.
    for (const [at, { from }] of batch.entries()) states[at]!.rows = from;
    const outputs = await untilAborted(answer, signal);
    return outputs.map(({ rows, finite }, at) => {
      const { from, rows: given } = batch[at]!;
      if (finite) states[at]!.rows = from + given.shape[0]!;
      return f32(given.shape, rows);
    });
  }

  async writePrefix(lane: Lane, keyValues: Tensor<'float32'>): Promise<void> {
    const state = this.#state(lane);
    const [layers, two, numKvHeads, headDim] = this.#rowShape;
    const rows = keyValues.shape[2] ?? 0;
    const wanted = [layers, two, rows, numKvHeads, headDim];
    if (keyValues.shape.join() !== wanted.join())
      throw new CutlayerError(
        'INVALID_SHAPE',
        `prefix: expected [${layers}, 2, *, ${numKvHeads}, ${headDim}], got [${keyValues.shape.join(', ')}]`,
      );
    this.#checkFits('prefix', lane, state, rows);
    if (!allFinite(keyValues.data)) throw new CutlayerError('NON_FINITE', 'prefix: expected finite values, got NaN or infinity');
    const copy = keyValues.data.slice();
    state.rows = 0;
    await this.#worker.call({ type: 'prefix', lane: lane.id, rows, keyValues: copy }, [copy.buffer]);
    state.rows = rows;
  }

  async copy(from: Lane, to: Lane, rows: number, at = 0): Promise<void> {
    const [source, target] = [this.#state(from), this.#state(to)];
    if (source.longRope !== target.longRope)
      throw new CutlayerError('INVALID_ARGUMENT', 'copy: the lanes have other ropes, so keys of one are of no use in the other');
    checkHeld('copy', rows, source.rows);
    checkHeld('copy: at', at, target.rows);
    this.#checkFits('copy', to, target, at + rows);
    await this.#worker.call({ type: 'copy', from: from.id, to: to.id, rows, at });
    target.rows = at + rows;
  }

  async keep(lane: Lane, from: number, rows: number): Promise<Lane> {
    const { generation, longRope, rows: held } = this.#state(lane);
    checkHeld('keep: from', from, held);
    checkHeld('keep', rows, held - from);
    const kept = { id: this.#nextId++, capacity: rows };
    await this.#worker.call({ type: 'keep', lane: kept.id, of: lane.id, from, rows });
    this.#lanes.set(kept.id, { generation, longRope, weights: undefined, rows });
    return kept;
  }

  async release(lane: Lane): Promise<void> {
    const state = this.#lanes.get(lane.id);
    this.#lanes.delete(lane.id);
    if (state === undefined || state.generation !== this.#worker.generation) return;
    const released = this.#worker.call({ type: 'release', lane: lane.id });
    await Promise.all([released, state.weights && this.#unuse(state.weights)]);
  }

  async close(): Promise<void> {
    this.#lanes.clear();
    this.#weights.clear();
    await this.#worker.close();
  }

  #capacity(rows: number): number {
    return Math.ceil(rows / this.#layout.keyBlock) * this.#layout.keyBlock;
  }

  #checked({ lane, from, rows }: LaneRows): LaneState {
    const state = this.#state(lane);
    const { hiddenSize } = this.#layout;
    const [count = 0, width] = rows.shape;
    if (rows.shape.length !== 2 || count < 1 || width !== hiddenSize)
      throw new CutlayerError('INVALID_SHAPE', `rows: expected [1 or more, ${hiddenSize}], got [${rows.shape.join(', ')}]`);
    if (!Number.isSafeInteger(from) || from < 0 || from > state.rows)
      throw new CutlayerError('INVALID_ARGUMENT', `from: expected at most the ${state.rows} rows that the lane holds, got ${from}`);
    this.#checkFits('rows', lane, state, from + count);
    return state;
  }

  #limit(longRope: boolean): number {
    return longRope ? this.longRows : this.maxRows;
  }

  #checkFits(what: string, { capacity }: Lane, { longRope }: LaneState, rows: number): void {
    const limit = Math.min(capacity, this.#limit(longRope));
    if (rows > limit)
      throw new CutlayerError('LIMIT_EXCEEDED', `${what}: expected at most ${limit} rows in the lane, got ${rows}`, { details: { limit } });
  }

  #state(lane: Lane): LaneState {
    const state = this.#lanes.get(lane.id);
    if (state === undefined || state.generation !== this.#worker.generation) throw crashed();
    return state;
  }
}

function checkHeld(what: string, rows: number, held: number): void {
  if (!Number.isSafeInteger(rows) || rows < 0 || rows > held)
    throw new CutlayerError('INVALID_ARGUMENT', `${what}: expected at most the ${held} rows that the lane holds, got ${rows}`);
}

/** The answer, unless the signal fires first. */
function untilAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return answer;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(cancelled(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
