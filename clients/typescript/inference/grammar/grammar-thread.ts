/**
 * One compiled grammar in its thread, within a time: a schema may explode, and then ends alone. The
 * thread keeps no process alive.
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { CutlayerError } from '../../../../src/errors.js';
import { engineMemory } from './engine-memory.js';
import type { GrammarAnswer, GrammarReply, GrammarRequest, GrammarWorkerData } from './worker/messages.js';

/** Bounds of a grammar. */
export interface GrammarLimits {
  /** To compile it. Default 20 s. */
  readonly compileMs: number;
  /** For each mask, and for the check of a text. Default 10 s. */
  readonly answerMs: number;
  /** Of the thread's heap. Default 256; the engine's memory is beside it. */
  readonly heapMb: number;
}

export const DEFAULT_GRAMMAR_LIMITS: GrammarLimits = { compileMs: 20_000, answerMs: 10_000, heapMb: 256 };

interface Waiting {
  readonly resolve: (answer: GrammarAnswer) => void;
  readonly reject: (error: CutlayerError) => void;
  readonly timer: NodeJS.Timeout;
}

/** Questions that may be open at once: one for each text. */
const MOST_WAITING = 4096;

export class GrammarThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #limits: GrammarLimits;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #lastText = 0;
  #ended: CutlayerError | undefined;
  /** Texts that have begun and not ended. */
  texts = 0;

  private constructor(setup: Omit<GrammarWorkerData, 'port'>, limits: GrammarLimits) {
    const { port1, port2 } = new MessageChannel();
    const workerData: GrammarWorkerData = { ...setup, port: port2 };
    this.#limits = limits;
    this.#port = port1;
    this.#worker = new Worker(new URL('./worker/grammar-worker.js', import.meta.url), {
      workerData,
      transferList: [port2],
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMb },
      // The engine prints what it aborts for, which may repeat the schema.
      stdout: true,
      stderr: true,
    });
    this.#port.on('message', (reply: GrammarReply) => this.#settle(reply));
    this.#worker.on('error', () => this.#end('it failed or filled its memory'));
    this.#worker.on('exit', () => this.#end('it ended'));
    this.#worker.unref();
    this.#port.unref();
  }

  /**
   * Compiles, in its turn.
   * @param makeRoom ends grammars that are not in use
   * @throws CutlayerError INVALID_ARGUMENT, LIMIT_EXCEEDED (time or memory), QUEUE_FULL
   */
  static start(
    setup: Omit<GrammarWorkerData, 'port'>,
    limits = DEFAULT_GRAMMAR_LIMITS,
    makeRoom: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<GrammarThread> {
    return engineMemory.start(async (share) => {
      const thread = new GrammarThread(setup, limits);
      thread.#worker.once('exit', () => share.release());
      try {
        // The first answer is a number.
        share.settle((await thread.#await(0, limits.compileMs, 'compiling it')) as number);
        return thread;
      } catch (error) {
        await thread.close();
        throw error;
      }
    }, makeRoom);
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** A number for a text that begins. */
  newText(): number {
    this.texts++;
    return ++this.#lastText;
  }

  /** @throws CutlayerError LIMIT_EXCEEDED (time or memory), QUEUE_FULL, INTERNAL */
  ask(request: GrammarRequest): Promise<GrammarAnswer> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#waiting.size >= MOST_WAITING)
      return Promise.reject(new CutlayerError('QUEUE_FULL', `constraint: expected at most ${MOST_WAITING} texts at once; try again later`));
    const id = ++this.#lastId;
    this.#port.postMessage({ id, request });
    return this.#await(id, this.#limits.answerMs, 'the next token or the check');
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    this.#end('it was closed');
    await this.#worker.terminate();
  }

  #await(id: number, withinMs: number, what: string): Promise<GrammarAnswer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#end(`no answer within ${withinMs} ms (${what})`);
        void this.#worker.terminate();
      }, withinMs);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#port.ref();
    });
  }

  #settle(reply: GrammarReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#forget(reply.id, waiting);
    if ('answer' in reply) waiting.resolve(reply.answer);
    else waiting.reject(new CutlayerError(reply.error.code, reply.error.message, { details: reply.error.details }));
  }

  #forget(id: number, { timer }: Waiting): void {
    clearTimeout(timer);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#port.unref();
  }

  #end(why: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = new CutlayerError('LIMIT_EXCEEDED', `constraint: its grammar's thread: ${why}; make the schema or the pattern smaller`);
    for (const [id, waiting] of this.#waiting) {
      this.#forget(id, waiting);
      waiting.reject(this.#ended);
    }
    this.#port.close();
  }
}
