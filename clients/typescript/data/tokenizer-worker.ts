/**
 * Runs a {@link TokenizerProgram} in a worker thread; one answer a request, in order. A later
 * message to the thread itself gives it another program.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { CutlayerError, type ErrorRecord } from '../../../src/errors.js';
import { TokenizerProgram, type TokenizerRequest, type TokenizerSetup } from './tokenizer-program.js';

/** What the worker is started with, and what a later use of it sends. */
export interface TokenizerWorkerData {
  readonly setup: TokenizerSetup;
  readonly port: MessagePort;
  /** One int32: 1 when an answer is in the port. */
  readonly answered: SharedArrayBuffer;
}

export type TokenizerReply = { readonly value: unknown } | { readonly error: ErrorRecord };

function serve({ setup, port, answered }: TokenizerWorkerData): void {
  const flag = new Int32Array(answered);
  let program: TokenizerProgram | undefined;
  port.on('message', (request: TokenizerRequest) => {
    let reply: TokenizerReply;
    let moved: ArrayBuffer[] = [];
    try {
      program ??= new TokenizerProgram(setup);
      const value = program.answer(request);
      reply = { value };
      if (typeof value === 'object' && 'ids' in value) moved = [value.ids.buffer];
    } catch (caught) {
      reply = { error: CutlayerError.from(caught).toRecord() };
    }
    port.postMessage(reply, moved);
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
  });
}

serve(workerData as TokenizerWorkerData);
parentPort?.on('message', serve);
