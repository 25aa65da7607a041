/**
 * Runs the decoder turn after turn, as long as rows wait. The content of a turn is decided when the
 * gateway gives it its time (decode-turns.ts). So a step takes all rows that wait by then.
 */
import { CutlayerError } from '../../errors.js';
import { cancelled, throwIfCancelled } from '../../runtime/cancellation.js';
import { allFinite } from '../../tensor/finite.js';
import { f32, type Tensor } from '../../tensor/tensor.js';
import { DecodeTurns, type TurnBounds } from './decode-turns.js';
import type { Decoder, Lane } from './decoder.js';
import { Gathering, type GatheringBounds } from './gathering.js';

/** Gives turns of the machine, which training has too. */
export interface TurnGiver {
  /** Runs `work` when decoding has its turn. @throws CutlayerError QUEUE_FULL, UNAVAILABLE */
  turn(job: { readonly rows: number; readonly work: () => Promise<void> }): Promise<void>;
}

/** Rows to append to one lane. */
export interface Appending {
  readonly tenant: string;
  readonly lane: Lane;
  readonly from: number;
  /** [S, hiddenSize] */
  readonly rows: Tensor<'float32'>;
  /** Called with each output [n, hiddenSize], which begins at row `at` of `rows`. */
  readonly onOutput: (output: Tensor<'float32'>, at: number) => void;
}

/** The parts of a loop. */
export interface DecodeLoopOptions {
  readonly decoder: Pick<Decoder, 'append'>;
  readonly turns: TurnGiver;
  readonly bounds: TurnBounds & GatheringBounds;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** The decoder has failed. @returns whether all lanes are lost */
  readonly onFailure: (error: CutlayerError) => boolean;
}

class Work {
  readonly tenant: string;
  done = 0;
  /** Its caller has gone. */
  gone = false;

  failed = false;

  constructor(
    readonly appending: Appending,
    readonly resolve: () => void,
    readonly reject: (error: unknown) => void,
  ) {
    this.tenant = appending.tenant;
  }

  fail(error: unknown): void {
    this.failed = true;
    this.reject(error);
  }

  get left(): number {
    return this.appending.rows.shape[0]! - this.done;
  }
}

/** A loop over one decoder. */
export class DecodeLoop {
  readonly #options: DecodeLoopOptions;
  readonly #turns: DecodeTurns<Work>;
  readonly #gathering: Gathering<Lane>;
  #running = false;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(options: DecodeLoopOptions) {
    this.#options = options;
    this.#turns = new DecodeTurns(options.bounds);
    this.#gathering = new Gathering(options.bounds);
  }

  /** Rows that wait, by the lane they are for. */
  get waiting(): number {
    return this.#turns.length;
  }

  /**
   * Appends rows; outputs come as they are computed.
   * @throws CutlayerError CANCELLED, QUEUE_FULL, UNAVAILABLE, and what the decoder fails with
   */
  async append(appending: Appending, signal?: AbortSignal): Promise<void> {
    throwIfCancelled(signal);
    if (this.#closed) throw closed();
    let onAbort = (): void => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const work = new Work(appending, resolve, reject);
        onAbort = () => {
          // A turn that runs is finished: its rows are in the lane.
          work.gone = true;
          if (this.#turns.remove(work)) reject(cancelled(signal));
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        this.#turns.push(work);
        this.#gathering.seen(appending.lane);
        this.#wake?.();
        void this.#run();
      });
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
    throwIfCancelled(signal);
  }

  /** A lane is not used any more. */
  forget(lane: Lane): void {
    this.#gathering.seen(lane);
    this.#wake?.();
  }

  /** Fails what waits; a turn that runs ends by itself. */
  close(): void {
    this.#closed = true;
    for (const work of this.#turns.clear()) work.reject(closed());
    this.#wake?.();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#turns.length > 0) {
        await this.#gather();
        const turns = this.#turns;
        const work = (): Promise<void> => this.#turn();
        await this.#options.turns.turn({
          get rows() {
            return turns.nextRows;
          },
          work,
        });
      }
    } catch (error) {
      for (const work of this.#turns.clear()) work.reject(error);
    } finally {
      this.#running = false;
    }
    // What came while the last turn was refused.
    if (this.#turns.length > 0) void this.#run();
  }

  /** Waits for the sessions that are expected to step too. */
  async #gather(): Promise<void> {
    const { now } = this.#options;
    // Messages that have arrived together are read before the first of them runs.
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (;;) {
      const waitMs = this.#turns.stepsAlone ? this.#gathering.waitMs(now()) : 0;
      if (waitMs <= 0 || this.#closed) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.ceil(waitMs));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
  }

  /** Runs one turn. Never rejects: each work has its own outcome. */
  async #turn(): Promise<void> {
    const turn = this.#turns.next();
    if (turn === undefined) return;
    const works = turn.kind === 'chunk' ? [turn.work] : turn.works;
    const { decoder, now, onFailure } = this.#options;
    const count = turn.kind === 'chunk' ? turn.rows : 1;
    const start = now();
    try {
      const outputs = await decoder.append(works.map((work) => rowsOf(work, count)));
      for (const [at, work] of works.entries()) {
        const output = outputs[at]!;
        // A lane whose rows are not finite keeps none of them; the others go on.
        if (!allFinite(output.data)) work.fail(notFinite());
        else {
          work.appending.onOutput(output, work.done);
          work.done += count;
        }
      }
    } catch (caught) {
      const error = CutlayerError.from(caught);
      const lost = onFailure(error) ? this.#turns.clear() : [];
      for (const work of [...works, ...lost]) work.reject(error);
      return;
    }
    if (turn.kind === 'steps')
      this.#gathering.answered(
        works.map(({ appending }) => appending.lane),
        now() - start,
        now(),
      );
    for (const work of works) {
      if (work.failed) continue;
      if (work.left === 0 || work.gone) work.resolve();
      else if (this.#closed) work.reject(closed());
      else this.#turns.putBack(work);
    }
  }
}

/** The next rows of a work, in memory of their own: the decoder takes it. */
function rowsOf({ appending: { lane, from, rows }, done }: Work, count: number) {
  const width = rows.shape[1]!;
  return { lane, from: from + done, rows: f32([count, width], rows.data.slice(done * width, (done + count) * width)) };
}

const notFinite = (): CutlayerError =>
  new CutlayerError('NON_FINITE', "rows: the backbone's output for them is not finite; check the rows and the adapter");

const closed = (): CutlayerError => new CutlayerError('UNAVAILABLE', 'decoder: it has been closed');
