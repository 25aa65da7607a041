/**
 * Asks a tokenizer in its worker thread, and waits: within a time and a heap. A template may loop
 * for ever, and an expression of a tokenizer double its time with each character. The thread is
 * then ended; the next question starts another.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { CutlayerError } from '../../../src/errors.js';
import { IdleThreads } from '../../../src/runtime/idle-threads.js';
import type { TokenizerAnswers, TokenizerRequest, TokenizerSetup } from './tokenizer-program.js';
import type { TokenizerReply, TokenizerWorkerData } from './tokenizer-worker.js';

/** Bounds of one question. */
export interface TokenizerLimits {
  /** Of a short question. Default 10 s. */
  readonly timeMs: number;
  /** More for each 1,000 characters or ids. Default 10 ms. */
  readonly timeMsPerThousand: number;
  /** For the thread to start and to read the files. Default 60 s. */
  readonly startMs: number;
  /** Default 1,024. */
  readonly heapMb: number;
}

export const DEFAULT_TOKENIZER_LIMITS: TokenizerLimits = { timeMs: 10_000, timeMsPerThousand: 10, startMs: 60_000, heapMb: 1024 };

/** Threads of the default heap whose tokenizers have been closed. */
const idleThreads = new IdleThreads();

interface Running {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly answered: Int32Array;
}

export class BoundedTokenizer {
  readonly #setup: TokenizerSetup;
  readonly #limits: TokenizerLimits;
  #running: Running | undefined;

  constructor(setup: TokenizerSetup, limits: TokenizerLimits) {
    this.#setup = setup;
    this.#limits = limits;
  }

  /**
   * Asks and waits for the answer.
   * @throws CutlayerError LIMIT_EXCEEDED (time or heap); what the program throws
   */
  ask<K extends TokenizerRequest['kind']>(request: Extract<TokenizerRequest, { readonly kind: K }>): TokenizerAnswers[K] {
    const { timeMs, timeMsPerThousand, startMs } = this.#limits;
    if (this.#running === undefined) {
      this.#running = this.#start();
      if (request.kind !== 'facts') this.#answer({ kind: 'facts' }, startMs);
    }
    const withinMs = request.kind === 'facts' || request.kind === 'bytes' ? startMs : timeMs + (timeMsPerThousand * sizeOf(request)) / 1000;
    // The program answers each kind of request with its own type.
    return this.#answer(request, withinMs) as TokenizerAnswers[K];
  }

  /** Lets the thread go. */
  async close(): Promise<void> {
    const running = this.#running;
    if (running === undefined || this.#limits.heapMb !== DEFAULT_TOKENIZER_LIMITS.heapMb) return this.#end();
    this.#running = undefined;
    running.port.close();
    idleThreads.keep(running.worker);
  }

  async #end(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.worker.terminate();
  }

  #start(): Running {
    const { port1: port, port2 } = new MessageChannel();
    const answered = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const workerData: TokenizerWorkerData = { setup: this.#setup, port: port2, answered };
    const { heapMb } = this.#limits;
    const kept = heapMb === DEFAULT_TOKENIZER_LIMITS.heapMb ? idleThreads.take() : undefined;
    kept?.postMessage(workerData, [port2]);
    const worker =
      kept ??
      new Worker(new URL('./tokenizer-worker.js', import.meta.url), {
        workerData,
        transferList: [port2],
        resourceLimits: { maxOldGenerationSizeMb: heapMb },
      });
    // A thread out of memory ends with an error; the question that it leaves open says so.
    worker.on('error', () => undefined);
    worker.unref();
    return { worker, port, answered: new Int32Array(answered) };
  }

  #answer(request: TokenizerRequest, withinMs: number): unknown {
    const { port, answered } = this.#running!;
    Atomics.store(answered, 0, 0);
    port.postMessage(request);
    waitForAnswer(answered, withinMs);
    const reply = receiveMessageOnPort(port) as { readonly message: TokenizerReply } | undefined;
    if (reply === undefined) {
      void this.#end();
      throw new CutlayerError(
        'LIMIT_EXCEEDED',
        `tokenizer or chat template of the bundle: no answer within ${Math.round(withinMs)} ms and ${this.#limits.heapMb} MB (${request.kind}); ` +
          'it may loop: ask the vendor for another bundle, or leave out or shorten this text',
      );
    }
    const { message } = reply;
    if ('value' in message) return message.value;
    const { code, message: text, details } = message.error;
    throw new CutlayerError(code, text, { details });
  }
}

/**
 * Waits until the flag is set. A thread may still notify of its last answer when the next question
 * is asked: a wake-up alone is no answer.
 */
export function waitForAnswer(answered: Int32Array, withinMs: number): void {
  const end = performance.now() + withinMs;
  for (let left = withinMs; left > 0 && Atomics.load(answered, 0) === 0; left = end - performance.now()) Atomics.wait(answered, 0, 0, left);
}

/** Characters or ids of a request. */
function sizeOf(request: TokenizerRequest): number {
  switch (request.kind) {
    case 'facts':
    case 'bytes':
      return 0;
    case 'encode':
      return request.texts.reduce((sum, text) => sum + text.length, 0);
    case 'decode':
    case 'tokens':
      return request.ids.length;
    case 'template':
      return 0;
    case 'learn':
      return request.texts.reduce((sum, text) => sum + charactersOf(text), 0);
    case 'render':
      return charactersOf(request.conversation);
  }
}

/** Characters of all strings in a value. */
function charactersOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((sum, item) => sum + charactersOf(item), 0);
}
