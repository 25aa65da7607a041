/**
 * One call from its headers to its end. Every method is admitted on its headers; every state has a
 * limit of time and of bytes, and ends the stream with a status.
 */
import type { ServerHttp2Stream } from 'node:http2';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Span } from '@opentelemetry/api';
import { CutlayerError } from '../../errors.js';
import type { Principal } from '../auth/scopes.js';
import type { Verifier } from '../auth/verifier.js';
import type { CallObservation } from '../observability/metrics.js';
import { inCallSpan } from '../observability/traces.js';
import { sendAnswer, sendFailure, sendUnsupported, sentWhole } from './answer.js';
import { AnswerStream } from './answer-stream.js';
import type { HeldBytes } from './byte-budget.js';
import type { CallRecorder } from './call-recorder.js';
import type { Call, Calls } from './calls.js';
import type { Connection } from './connections.js';
import type { ServerBounds } from './limits.js';
import { MessageBody } from './message-body.js';
import { MessageInbox } from './message-inbox.js';
import type { MessageMemory } from './message-memory.js';
import type { Conversation, GuardedMethod, Method, OpenMethod, StreamMethod } from './method.js';
import { OpenCalls } from './open-calls.js';
import { receiveMessage } from './receive.js';
import { bearerToken, type RequestHeaders, readRequestHeaders, requireTimeout } from './request-headers.js';
import { requestIdOf, withRequestId } from './request-id.js';

/** The parts of the exchanges of a server. */
export interface ExchangeOptions {
  /** By path. */
  readonly methods: ReadonlyMap<string, Method>;
  readonly verify: Verifier;
  /** Whether each token must be bound to its connection's client certificate. */
  readonly mustBind: boolean;
  readonly calls: Calls;
  /** Of streams, whose places are their own. */
  readonly streams: Calls;
  readonly memory: MessageMemory;
  readonly maxMessageBytes: number;
  readonly bounds: ServerBounds;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onRefusal: (call: CallObservation) => void;
  readonly recorder: CallRecorder;
  /** Told how long the message of a call, or its answer, was on its way. */
  readonly onTransfer: (method: string, direction: 'receive' | 'send', seconds: number) => void;
}

/** A stream, its connection, and the signal that ends the exchange. */
interface Exchange {
  readonly stream: ServerHttp2Stream;
  readonly connection: Connection;
  readonly headers: RequestHeaders;
  readonly held: HeldBytes;
  readonly life: AbortController;
  /** The call's id. */
  readonly request: string;
}

/** Gives a call its place. @throws CutlayerError as {@link Calls.open} */
type Admit = (principal: Principal, deadline: number, exchange: Exchange) => Call;

/** Resets of a connection from which on a token waits for the rest of what has been read. */
const TRUSTED_RESETS = 16;

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
    let request = requestIdOf(undefined);
    let found = false; // its method
    stream.on('error', () => undefined); // its close follows
    stream.once('close', () => life.abort(new CutlayerError('CANCELLED', 'call: the caller has gone')));
    try {
      const headers = readRequestHeaders(rawHeaders, bounds.connections.maxHeaderBytes);
      if (headers === undefined) return sendUnsupported(stream);
      const method = methods.get(headers.path);
      if (method === undefined) throw new CutlayerError('UNIMPLEMENTED', 'path: expected a method of this server');
      found = true;
      request = requestIdOf(headers.requestId ?? request);
      const exchange = { stream, connection, headers, held, life, request };
      if (method.kind === 'open') await this.#runOpen(method, exchange);
      else if (method.kind === 'stream') await this.#runStream(method, exchange);
      else await this.#runGuarded(method, exchange);
    } catch (caught) {
      endWith(stream, withRequestId(caught, request));
    } finally {
      held.release();
      if (!found) connection.refused();
    }
  }

  async #runGuarded(method: GuardedMethod, exchange: Exchange): Promise<void> {
    const { calls, memory, maxMessageBytes, bounds, recorder, onTransfer } = this.#options;
    const { stream, connection, headers, held, life } = exchange;
    const { signal } = life;
    await this.#accounted(method.name, calls, exchange, async (admit) => {
      const { deadline, token } = this.#admission(headers);
      const body = new MessageBody(maxMessageBytes, held);
      const from = performance.now();
      const received = receiveMessage(stream, body, bounds.transfer, signal);
      received.catch(() => undefined); // awaited below, after the token
      const opened = admit(await this.#verify(token, exchange), deadline, exchange);
      memory.verified(held, connection.budget, opened.principal.tenant, (reason) => life.abort(reason));
      body.reserve();
      const message = await received;
      onTransfer(method.name, 'receive', (performance.now() - from) / 1000);
      held.arrived();
      signal.throwIfAborted();
      const answer = await method.run(message, opened);
      calls.requireTime(opened);
      held.add(answer.length);
      await recorder.answered(opened, calls.secondsOf(opened));
      const ready = performance.now();
      await unlessSent(stream, sendAnswer(stream, [answer], bounds.transfer, signal));
      onTransfer(method.name, 'send', (performance.now() - ready) / 1000);
    });
  }

  async #runStream(method: StreamMethod, exchange: Exchange): Promise<void> {
    const { streams, memory, maxMessageBytes, bounds, recorder } = this.#options;
    const { stream, connection, headers, life, request } = exchange;
    const { signal } = life;
    const answers = new AnswerStream(stream, bounds.transfer, signal);
    const answered = this.#accounted(method.name, streams, exchange, async (admit) => {
      const { deadline, token } = this.#admission(headers);
      const fail = (reason: unknown): void => life.abort(reason);
      const inbox = new MessageInbox(stream, {
        ...{ maxMessageBytes, floor: bounds.transfer, limits: bounds.streams, fail },
        newHeld: () => memory.newCall(connection.budget),
        verified: (held, tenant) => memory.verified(held, connection.budget, tenant, fail),
      });
      signal.addEventListener('abort', () => inbox.close(), { once: true });
      try {
        const opened = admit(await this.#verify(token, exchange), deadline, exchange);
        // A message may be refused while another is worked on.
        signal.addEventListener('abort', () => streams.abort(opened, signal.reason), { once: true });
        inbox.verified(opened.principal.tenant);
        await recorder.opened(opened);
        await converse({ conversation: method.open(opened), opened, streams, inbox, answers, recorder });
        signal.throwIfAborted();
        await unlessSent(stream, answers.end());
        opened.outcome.code = 'OK';
      } finally {
        inbox.close();
      }
    });
    await answered.catch((caught: unknown) => {
      if (!answers.fail(withRequestId(caught, request))) throw caught;
    });
  }

  /** @throws CutlayerError DEADLINE_REQUIRED, TOKEN_MISSING */
  #admission(headers: RequestHeaders): { readonly deadline: number; readonly token: string } {
    return { deadline: this.#options.now() + requireTimeout(headers), token: bearerToken(headers) };
  }

  /** Runs a call in a place among `calls`, which it gets when its token is verified. */
  async #accounted(
    name: string,
    calls: Calls,
    { request, headers: { traceparent }, connection }: Exchange,
    run: (admit: Admit) => Promise<void>,
  ): Promise<void> {
    const { recorder } = this.#options;
    const { address } = connection;
    let call: Call | undefined;
    let tenant = '';
    const admitIn =
      (span: Span): Admit =>
      (principal, deadline, { stream, headers, held, life }) => {
        life.signal.throwIfAborted();
        tenant = principal.tenant;
        span.setAttribute('cutlayer.tenant', tenant);
        recorder.requireWritable();
        const opened = calls.open(name, principal, deadline, { held, proof: headers.proof, request, address });
        call = opened;
        opened.signal.addEventListener('abort', () => life.abort(opened.signal.reason), { once: true });
        stream.once('close', () => calls.end(opened));
        return opened;
      };
    try {
      await inCallSpan(name, { traceparent, request }, (span) => run(admitIn(span)));
    } catch (caught) {
      const { code } = CutlayerError.from(caught);
      if (call !== undefined) call.outcome.code = code;
      else {
        this.#options.onRefusal({ method: name, tenant: '', code, seconds: 0, bytesIn: 0, bytesOut: 0, rows: 0 });
        recorder.refused({ method: name, tenant, code, request });
        connection.refused();
      }
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

  /** @throws CutlayerError QUEUE_FULL, what the signal says, and what the verifier throws */
  async #verify(token: string, { connection, life }: Exchange): ReturnType<Verifier> {
    const { verify, bounds, mustBind } = this.#options;
    const { certificate, resets } = connection;
    if (resets.count > TRUSTED_RESETS) {
      // The next bytes of the same read may reset this call too.
      await nextTurn();
      life.signal.throwIfAborted();
    }
    if (this.#verifying >= bounds.maxVerifying) {
      throw new CutlayerError('QUEUE_FULL', `token: ${bounds.maxVerifying} are being verified, which is the limit; try again in a moment`);
    }
    this.#verifying++;
    try {
      return await verify(token, { certificate, mustBind });
    } finally {
      this.#verifying--;
    }
  }
}

/** Waits for an answer to be sent; its stream may close before the wait has ended. */
async function unlessSent(stream: ServerHttp2Stream, sending: Promise<void>): Promise<void> {
  await sending.catch((error: unknown) => {
    if (!sentWhole(stream)) throw error;
  });
}

/** An admitted stream. */
interface OpenStream {
  readonly conversation: Conversation;
  readonly opened: Call;
  readonly streams: Calls;
  readonly inbox: MessageInbox;
  readonly answers: AnswerStream;
  readonly recorder: CallRecorder;
}

/**
 * Answers message after message, until the client has ended its side. A shutdown ends a stream when
 * no message waits for its answer.
 */
async function converse({ conversation, opened, streams, inbox, answers, recorder }: OpenStream): Promise<void> {
  try {
    for (;;) {
      const received = await inbox.next(opened.draining);
      if (received === undefined) return;
      const { message, held } = received;
      try {
        opened.signal.throwIfAborted();
        recorder.requireWritable();
        const answer = await conversation.answer(message, () => held.handOver());
        streams.requireTime(opened);
        held.add(answer.length);
        await answers.send(answer);
      } finally {
        held.release();
      }
    }
  } finally {
    conversation.end();
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
