/**
 * What the decoder does next, a pure state: a chunk of one session's rows, or a step of all
 * sessions that have one row waiting.
 *
 * Rows of more than one are cut into chunks. After a chunk, every step that waits goes before the
 * next chunk: so a long prompt stalls no token by more than one chunk. Tenants take turns within
 * both kinds, weighted by rows, as steps of training do.
 */
import { FairQueue } from '../engine/fair-queue.js';

/** Rows that wait to be appended. */
export interface WaitingRows {
  readonly tenant: string;
  /** Those that are left. */
  readonly left: number;
}

/** The bounds of a turn. */
export interface TurnBounds {
  /** Rows of a chunk. */
  readonly chunkRows: number;
  /** Sessions of a step. */
  readonly maxBatch: number;
}

/** What to run. */
export type DecodeTurn<Work> =
  | { readonly kind: 'chunk'; readonly work: Work; readonly rows: number }
  | { readonly kind: 'steps'; readonly works: readonly Work[] };

interface Job<Work> {
  readonly tenant: string;
  readonly rows: number;
  readonly priority: number;
  readonly work: Work;
}

/** The turns of all sessions; each has one work at most. */
export class DecodeTurns<Work extends WaitingRows> {
  readonly #bounds: TurnBounds;
  readonly #chunks = new FairQueue<Job<Work>>();
  readonly #steps = new FairQueue<Job<Work>>();
  readonly #jobs = new Map<Work, Job<Work>>();
  #afterChunk = false;
  /** Steps that go before the next chunk. */
  #owed = 0;

  constructor(bounds: TurnBounds) {
    this.#bounds = bounds;
  }

  get length(): number {
    return this.#jobs.size;
  }

  /** Whether nothing but steps waits. */
  get stepsAlone(): boolean {
    return this.#chunks.length === 0 && this.#steps.length > 0;
  }

  /** Rows of the next turn. */
  get nextRows(): number {
    const { maxBatch } = this.#bounds;
    return this.#chunkIsNext() ? (this.#chunks.peek()?.rows ?? 0) : Math.min(maxBatch, this.#steps.length);
  }

  push(work: Work): void {
    const job = this.#jobOf(work);
    this.#jobs.set(work, job);
    (work.left === 1 ? this.#steps : this.#chunks).push(job);
  }

  /** Goes on with rows whose chunk has run: before others of its tenant. */
  putBack(work: Work): void {
    const job = this.#jobOf(work);
    this.#jobs.set(work, job);
    this.#chunks.putBack(job);
  }

  /** Takes out what waits no more; false when it does not wait. */
  remove(work: Work): boolean {
    const job = this.#jobs.get(work);
    if (job === undefined) return false;
    this.#jobs.delete(work);
    return this.#chunks.remove(job) || this.#steps.remove(job);
  }

  /** Takes the next turn; undefined when nothing waits. */
  next(): DecodeTurn<Work> | undefined {
    const chunkIsNext = this.#chunkIsNext();
    if (this.#afterChunk) this.#owed = this.#steps.length;
    this.#afterChunk = chunkIsNext;
    if (chunkIsNext) {
      const job = this.#chunks.shift()!;
      this.#jobs.delete(job.work);
      return { kind: 'chunk', work: job.work, rows: job.rows };
    }
    const works: Work[] = [];
    while (works.length < this.#bounds.maxBatch) {
      const job = this.#steps.shift();
      if (job === undefined) break;
      this.#jobs.delete(job.work);
      works.push(job.work);
    }
    this.#owed = Math.max(0, this.#owed - works.length);
    return works.length === 0 ? undefined : { kind: 'steps', works };
  }

  /** Takes everything out. */
  clear(): readonly Work[] {
    const works = [...this.#jobs.keys()];
    for (const work of works) this.remove(work);
    return works;
  }

  #chunkIsNext(): boolean {
    if (this.#chunks.length === 0) return false;
    const owed = this.#afterChunk ? this.#steps.length : this.#owed;
    return this.#steps.length === 0 || owed === 0;
  }

  #jobOf(work: Work): Job<Work> {
    const { chunkRows } = this.#bounds;
    return { tenant: work.tenant, priority: 0, work, rows: Math.min(chunkRows, work.left) };
  }
}
