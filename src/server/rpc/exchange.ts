/**
 * One call from its headers to its end. Every method is admitted on its headers; every state has a
 * limit of time and of bytes, and ends the stream with a status.
 */
import type { ServerHttp2Stream } from 'node:http2';
import { CutlayerError } from '../../errors.js';
import type { Verifier } from '../auth/verifier.js';
import type { CallObservation } from '../observability/metrics.js';
import { sendAnswer, sendFailure, sendUnsupported } from './answer.js';
import type { HeldBytes } from './byte-budget.js';
import type { Call, Calls } from './calls.js';
import type { Connection } from './connections.js';
import type { ServerBounds } from './limits.js';
import { MessageBody } from './message-body.js';
import type { MessageMemory } from './message-memory.js';
import type { GuardedMethod, Method, OpenMethod } from './method.js';
import { OpenCalls } from './open-calls.js';
import { receiveMessage } from './receive.js';
import { bearerToken, type RequestHeaders, readRequestHeaders, requireTimeout } from './request-headers.js';

/** The parts of the exchanges of a server. */
export interface ExchangeOptions {
  /** By path. */
  readonly methods: ReadonlyMap<string, Method>;
  readonly verify: Verifier;
  readonly calls: Calls;
  readonly memory: MessageMemory;
  readonly maxMessageBytes: number;
  readonly bounds: ServerBounds;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onRefusal: (call: CallObservation) => void;
}

/** A stream, its connection, and the signal that ends the exchange. */
interface Exchange {
  readonly stream: ServerHttp2Stream;
  readonly connection: Connection;
  readonly headers: RequestHeaders;
  readonly held: HeldBytes;
  readonly life: AbortController;
}

/** Runs the calls of a server. */
export class Exchanges {
  readonly #options: ExchangeOptions;
  readonly #open: OpenCalls;
  #verifying = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#open = new OpenCalls(options.bounds.open);
  }

  /** Runs a call; never rejects. */
  async run(stream: ServerHttp2Stream, rawHeaders: readonly string[], connection: Connection): Promise<void> {
    const { methods, memory, bounds } = this.#options;
    const life = new AbortController();
    const held = memory.newCall(connection.budget);
    stream.on('error', () => undefined); // its close follows
    stream.once('close', () => life.abort(new CutlayerError('CANCELLED', 'call: the caller has gone')));
    try {
      const headers = readRequestHeaders(rawHeaders, bounds.connections.maxHeaderBytes);
      if (headers === undefined) return sendUnsupported(stream);
      const method = methods.get(headers.path);
      if (method === undefined) throw new CutlayerError('UNIMPLEMENTED', 'path: expected a method of this server');
      const exchange = { stream, connection, headers, held, life };
      await (method.kind === 'open' ? this.#runOpen(method, exchange) : this.#runGuarded(method, exchange));
    } catch (caught) {
      endWith(stream, caught);
    } finally {
      held.release();
    }
  }

  async #runGuarded(method: GuardedMethod, exchange: Exchange): Promise<void> {
    const { calls, memory, now, maxMessageBytes, bounds, onRefusal } = this.#options;
    const { stream, connection, headers, held, life } = exchange;
    const { signal } = life;
    let call: Call | undefined;
    try {
      const deadline = now() + requireTimeout(headers);
      const token = bearerToken(headers);
      const body = new MessageBody(maxMessageBytes, held);
      const received = receiveMessage(stream, body, bounds.transfer, signal);
      received.catch(() => undefined); // awaited below, after the token
      const principal = await this.#verify(token);
      signal.throwIfAborted();
      const opened = calls.open(method.name, principal, deadline, { held, proof: headers.proof });
      call = opened;
      opened.signal.addEventListener('abort', () => life.abort(opened.signal.reason), { once: true });
      stream.once('close', () => calls.end(opened));
      memory.verified(held, connection.budget, principal.tenant, (reason) => life.abort(reason));
      body.reserve();
      const message = await received;
      held.arrived();
      signal.throwIfAborted();
      const answer = await method.run(message, opened);
      calls.requireTime(opened);
      held.add(answer.length);
      await sendAnswer(stream, [answer], bounds.transfer, signal);
    } catch (caught) {
      const { code } = CutlayerError.from(caught);
      if (call === undefined) onRefusal({ method: method.name, tenant: '', code, seconds: 0, bytesIn: 0, bytesOut: 0, rows: 0 });
      else call.outcome.code = code;
      throw caught;
    } finally {
      if (call !== undefined) calls.end(call);
    }
  }

  async #runOpen(method: OpenMethod, { stream, connection, held, life }: Exchange): Promise<void> {
    const { bounds } = this.#options;
    const leave = this.#open.enter(life);
    try {
      const body = new MessageBody(bounds.open.maxMessageBytes, held);
      const request = await receiveMessage(stream, body, bounds.transfer, life.signal);
      const answer = method.run(request, life.signal);
      if (!method.watches) return await sendAnswer(stream, answer, bounds.transfer, life.signal);
      leave();
      await this.#open.watch(connection, () => sendAnswer(stream, answer, bounds.transfer, life.signal));
    } finally {
      leave();
    }
  }

  /** @throws CutlayerError QUEUE_FULL, and what the verifier throws */
  async #verify(token: string): ReturnType<Verifier> {
    const { verify, bounds } = this.#options;
    if (this.#verifying >= bounds.maxVerifying) {
      throw new CutlayerError('QUEUE_FULL', `token: ${bounds.maxVerifying} are being verified, which is the limit; try again in a moment`);
    }
    this.#verifying++;
    try {
      return await verify(token);
    } finally {
      this.#verifying--;
    }
  }
}

/** Ends a stream with an error, or at once when it takes no more. */
function endWith(stream: ServerHttp2Stream, caught: unknown): void {
  try {
    sendFailure(stream, caught);
  } catch {
    stream.destroy();
  }
}
