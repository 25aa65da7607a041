/** The decode service: one session a stream, after authentication and parsing. */
import { CutlayerError } from '../../errors.js';
import { DECODE_SERVICE, decodeRequestLayout, loadDecodeService } from '../../protocol/wire/decode-service.js';
import type { DecodeRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/DecodeRequest.js';
import type { DecodeResponse } from '../../protocol/wire/generated/cutlayer/v1/DecodeResponse.js';
import { encodeTensor } from '../../protocol/wire/tensor-codec.js';
import { requireScope } from '../../server/auth/scopes.js';
import type { Call } from '../../server/rpc/calls.js';
import type { RpcService } from '../../server/rpc/rpc-service.js';
import { type AnswerContext, type StreamHandler, streamMethod } from '../../server/rpc/stream-method.js';
import type { Protection } from '../protection/protection.js';
import { checkId } from '../split/fields.js';
import type { TakeRows } from '../tenants/gate.js';
import { type DecodeChecks, parseAppend, parseOpen } from './decode-request.js';
import type { DecodeSessions, Session, SessionCall } from './sessions.js';

/** What the service is over. */
export interface DecodeServing extends DecodeChecks {
  /** The sessions; opened on the first use. @throws CutlayerError of the decoder's start */
  readonly sessions: () => Promise<DecodeSessions>;
  readonly protection: Protection;
  /** Counts bytes of decoded rows and messages. @throws CutlayerError LIMIT_EXCEEDED, QUEUE_FULL */
  readonly hold: (tenant: string, bytes: number) => { release(): void };
}

type Action = NonNullable<DecodeRequest__Output['action']>;

/**
 * The service.
 * @param serving undefined where the backbone has no graph for decoding
 * @param takeRows counts the rows of a message before they are computed
 */
export function decodeService(
  serving: DecodeServing | undefined,
  maxTokens: number,
  takeRows: TakeRows = async () => undefined,
): RpcService {
  const parts = {
    name: 'Decode',
    definition: loadDecodeService().service.Decode,
    layout: decodeRequestLayout(maxTokens),
    open: (call: Call) => new DecodeStream(call, serving, takeRows),
  };
  return { name: DECODE_SERVICE, methods: (interceptors) => new Map([[parts.definition.path, streamMethod(parts, interceptors)]]) };
}

/** What a message does. */
interface Request extends AnswerContext {
  readonly message: DecodeRequest__Output;
  readonly sessions: DecodeSessions;
  readonly serving: DecodeServing;
}

/** One stream. */
class DecodeStream implements StreamHandler<DecodeRequest__Output, DecodeResponse> {
  readonly #call: Call;
  readonly #serving: DecodeServing | undefined;
  readonly #sessionCall: SessionCall;
  readonly #takeRows: (rows: number) => Promise<void>;
  #session: Session | undefined;

  constructor(call: Call, serving: DecodeServing | undefined, takeRows: TakeRows) {
    this.#call = call;
    this.#takeRows = (rows) => takeRows(call, rows);
    this.#serving = serving;
    this.#sessionCall = { tenant: call.principal.tenant, holder: this, signal: call.signal };
  }

  async answer(message: DecodeRequest__Output, context: AnswerContext): Promise<DecodeResponse> {
    requireScope(this.#call.principal, 'infer', 'train');
    const serving = this.#serving;
    if (serving === undefined) {
      throw new CutlayerError(
        'UNIMPLEMENTED',
        'decode: this backbone was packed without a graph for decoding; pack the checkpoint again, and send whole sequences until then',
      );
    }
    const { action } = message;
    if (action === undefined)
      throw new CutlayerError('INVALID_ARGUMENT', `action: expected one of ${Object.keys(this.#actions).join(', ')}, got none`);
    return this.#actions[action]({ message, ...context, sessions: await serving.sessions(), serving });
  }

  /** The session stays: another stream may resume it. */
  end(): void {
    this.#session = undefined;
  }

  /** A message's action; the oneof says that its field is there. */
  readonly #actions: { readonly [A in Action]: (request: Request) => Promise<DecodeResponse> } = {
    open: async ({ message, sessions, serving, handOver }) => {
      this.#requireNone();
      const input = parseOpen(message.open!, serving);
      const { adapter } = input;
      // A prefix is written, not computed.
      if (adapter.kind === 'softPrompt') await this.#takeRows(adapter.value.shape[0]!);
      return this.#holding(adapter.kind === 'none' ? 0 : adapter.value.data.byteLength, handOver, async () => {
        this.#session = await sessions.open(this.#sessionCall, input);
        serving.protection.openSession(this.#sessionCall.tenant, input.id);
        this.#call.outcome.rows += this.#session.virtualRows;
        return { length: this.#session.length };
      });
    },
    resume: async ({ message, sessions }) => {
      this.#requireNone();
      const { sessionId, length } = message.resume!;
      this.#session = await sessions.resume(this.#sessionCall, { id: checkId('resume.sessionId', sessionId), length });
      return { length: this.#session.length };
    },
    append: async ({ message, sessions, serving, handOver }) => {
      const session = this.#open();
      const { input, answerDType, dtype, bytes } = parseAppend(message.append!, serving);
      await this.#takeRows(input.rows.shape[0]!);
      const { tenant } = this.#sessionCall;
      const place = { id: session.id, from: Math.min(input.from, session.maxRows) };
      const seen = { method: 'Decode', tenant, dtype, rows: input.rows, answered: input.positions.length, session: place } as const;
      return this.#holding(bytes, handOver, async () => {
        const rows = await serving.protection.rows(seen, () => sessions.append(this.#sessionCall, session, input));
        this.#call.outcome.rows += input.rows.shape[0]!;
        if (input.positions.length === 0) return { length: session.length };
        return { length: session.length, rows: encodeTensor(rows, answerDType, 'rows of the answer') };
      });
    },
    rollback: async ({ message, sessions }) => {
      const session = this.#open();
      await sessions.rollback(this.#sessionCall, session, message.rollback!.length);
      return { length: session.length };
    },
    fork: async ({ message, sessions, serving }) => {
      const session = this.#open();
      const copy = checkId('fork.sessionId', message.fork!.sessionId);
      await sessions.fork(this.#sessionCall, session, copy);
      serving.protection.copySession(session.tenant, session.id, copy);
      return { length: session.length };
    },
    close: async ({ sessions, serving }) => {
      const session = this.#open();
      this.#session = undefined;
      serving.protection.endSession(session.tenant, session.id);
      await sessions.close(this.#sessionCall, session);
      return { length: 0 };
    },
  };

  #requireNone(): void {
    if (this.#session === undefined) return;
    throw new CutlayerError('INVALID_ARGUMENT', 'action: this stream has a session; open a stream for each session');
  }

  #open(): Session {
    if (this.#session !== undefined) return this.#session;
    throw new CutlayerError('INVALID_ARGUMENT', 'action: expected open or resume first, as this stream has no session');
  }

  /** Counts decoded bytes, with those of the message, while `work` goes on. */
  async #holding<T>(bytes: number, handOver: () => number, work: () => Promise<T>): Promise<T> {
    const held = this.#serving!.hold(this.#sessionCall.tenant, bytes + handOver());
    try {
      return await work();
    } finally {
      held.release();
    }
  }
}
