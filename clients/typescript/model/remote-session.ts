/**
 * A decode session at the gateway: rows in, rows out, their keys and values kept there. It goes on
 * by itself where its stream has broken, and is replayed where the gateway has lost it. Each append
 * says from where on, so that no row counts twice.
 */
import { randomUUID } from 'node:crypto';
import { CutlayerError } from '../../../src/errors.js';
import type { DecodeRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/DecodeRequest.js';
import type { DecodeResponse__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/DecodeResponse.js';
import { decodeTensor, encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { wireBytes } from '../../../src/protocol/wire/wire-dtype.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { Connection, DecodeStream } from '../connection/connect.js';
import { retrying } from '../connection/retry.js';
import type { VirtualTokenKind } from '../connection/served-model.js';

type Floats = Tensor<'float32'>;

/** What a session begins with. */
export interface SessionBeginning {
  /** Rows that it may have, virtual tokens among them. */
  readonly maxRows: number;
  /** All its rows have the rope of long sequences. Default false. */
  readonly longRope?: boolean | undefined;
  /** Soft prompt [P, hiddenSize], or prefix [backbone layers, 2, P, kvHeads, headDim]. */
  readonly adapter?: { readonly kind: VirtualTokenKind; readonly value: Floats } | undefined;
}

/** What a session is of. */
export interface RemoteSessionOptions extends SessionBeginning {
  /** Gives rows again, [to - from, hiddenSize], for a replay: `from` counts virtual tokens. */
  readonly replay: (from: number, to: number) => Promise<Floats>;
  readonly signal?: AbortSignal | undefined;
}

/** Rows of one message, where the gateway's limits allow them. */
const MESSAGE_ROWS = 512;
/** Most times in a row that a session is opened or resumed for one answer. */
const MAX_RESUMES = 8;
/** A gateway that is full may have room in a moment; after that the caller does without. */
const FULL_RETRY_MS = 5000;

/** A session. Its operations run one at a time. */
export class RemoteSession {
  readonly #connection: Connection;
  #options: RemoteSessionOptions;
  readonly #id: string;
  readonly #virtualRows: number;
  readonly #messageRows: number;
  #length: number;
  #stream: DecodeStream | undefined;
  /** Whether the gateway has, or had, a session of this id. */
  #opened: boolean;
  /** The next stream opens a session of this id, which replaces the one of before. */
  #anew = false;
  #working = false;
  #tokenExpired = false;

  private constructor(connection: Connection, options: RemoteSessionOptions, fork?: { readonly id: string; readonly length: number }) {
    const { adapter } = options;
    const { card, wireDtype } = connection;
    const { maxTokens, maxMessageBytes } = card.limits;
    this.#connection = connection;
    this.#options = options;
    this.#virtualRows = adapter === undefined ? 0 : adapter.value.shape[adapter.kind === 'prefix' ? 2 : 0]!;
    this.#messageRows = Math.max(
      1,
      Math.min(MESSAGE_ROWS, maxTokens, Math.floor(maxMessageBytes / wireBytes([1, card.dims.hiddenSize], wireDtype))),
    );
    this.#id = fork?.id ?? randomUUID();
    this.#length = fork?.length ?? this.#virtualRows;
    this.#opened = fork !== undefined;
  }

  /**
   * Opens a session.
   * @throws CutlayerError UNIMPLEMENTED (a gateway, or a backbone, that cannot decode),
   *   LIMIT_EXCEEDED (more rows than it may have), QUEUE_FULL, as the gateway says
   */
  static async open(connection: Connection, options: RemoteSessionOptions): Promise<RemoteSession> {
    const session = new RemoteSession(connection, options);
    try {
      await session.#going(async () => undefined, options.signal);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** Rows that it has, virtual tokens among them. */
  get length(): number {
    return this.#length;
  }

  /** Rows whose outputs one append can give. */
  get maxWanted(): number {
    return this.#messageRows;
  }

  /**
   * Appends rows [n, hiddenSize]; gives the outputs of the last `wanted` ones, at most
   * {@link maxWanted} and maybe none: [wanted, hiddenSize].
   * @throws CutlayerError the gateway's; CANCELLED
   */
  async append(rows: Floats, wanted = 1, signal?: AbortSignal): Promise<Floats> {
    const from = this.#length;
    const output = await this.#going((stream) => this.#send(stream, from, rows, wanted), signal);
    this.#length = from + rows.shape[0]!;
    return output;
  }

  /** Drops rows from the end: the next ones begin at `length`. @throws CutlayerError */
  rollback(length: number): void {
    if (length < this.#virtualRows || length > this.#length)
      throw new CutlayerError('INVALID_ARGUMENT', `rollback: expected ${this.#virtualRows} to ${this.#length} rows, got ${length}`);
    // The gateway drops them at the next append, which says where it begins.
    this.#length = length;
  }

  /**
   * Begins again, with its virtual tokens alone; the gateway frees what it had. A session of the
   * same virtual tokens.
   */
  restart(beginning: SessionBeginning): void {
    this.#options = { ...this.#options, ...beginning };
    this.#stream?.end();
    this.#stream = undefined;
    this.#anew = true;
    this.#length = this.#virtualRows;
  }

  /**
   * A copy that goes on by itself.
   * @param replay of the copy's rows
   * @throws CutlayerError as open; CANCELLED
   */
  async fork(replay: RemoteSessionOptions['replay'], signal?: AbortSignal): Promise<RemoteSession> {
    const id = randomUUID();
    await this.#going(async (stream) => {
      const rolledBack = stream.ask({ rollback: { length: this.#length }, action: 'rollback' });
      await Promise.all([rolledBack, stream.ask({ fork: { sessionId: id }, action: 'fork' })]);
    }, signal);
    return new RemoteSession(this.#connection, { ...this.#options, replay }, { id, length: this.#length });
  }

  /** Ends the session at once, also while an operation is under way; the gateway is told. */
  close(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream !== undefined && stream.failure === undefined && !this.#working) {
      stream.ask({ close: {}, action: 'close' }).catch(() => undefined);
      stream.end();
    } else {
      stream?.cancel();
      if (this.#opened) void this.#discard();
    }
    this.#opened = false;
  }

  /** Ends the gateway's session over another stream. Where that fails, its idle time ends it. */
  async #discard(): Promise<void> {
    try {
      const stream = await this.#connection.decodeStream();
      const answers = [stream.ask(this.#resuming(0)), stream.ask({ close: {}, action: 'close' })];
      stream.end();
      await Promise.allSettled(answers);
    } catch {
      // No stream to be had: the connection is closed, or its token has gone.
    }
  }

  /** Runs `work` on a stream whose session has all rows; on another one where it breaks. */
  async #going<T>(work: (stream: DecodeStream) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const { retry, onRetry } = this.#connection;
    const cancel = (): void => this.#stream?.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    this.#working = true;
    let fullSince: number | undefined;
    const attempt = async (): Promise<{ readonly result: T } | CutlayerError> => {
      try {
        return { result: await this.#mending(work, signal) };
      } catch (caught) {
        const error = CutlayerError.from(caught);
        if (error.code !== 'QUEUE_FULL') throw error;
        fullSince ??= performance.now();
        if (performance.now() - fullSince < FULL_RETRY_MS) throw error;
        return error;
      }
    };
    try {
      const outcome = await retrying(attempt, retry, { signal, onRetry });
      if (outcome instanceof CutlayerError) throw outcome;
      return outcome.result;
    } finally {
      this.#working = false;
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** Opens, resumes and replays as often as that may help at once. */
  async #mending<T>(work: (stream: DecodeStream) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let resumes = 0; ; resumes++) {
      if (signal?.aborted) throw new CutlayerError('CANCELLED', 'the call was cancelled');
      const lived = this.#stream !== undefined;
      try {
        return await work(await this.#attached());
      } catch (caught) {
        const error = CutlayerError.from(caught);
        this.#stream?.cancel();
        this.#stream = undefined;
        if (signal?.aborted || resumes === MAX_RESUMES || !this.#mends(error, lived)) throw error;
      }
    }
  }

  /** Whether another stream mends an error at once. @param lived its stream had answered before */
  #mends({ code, retry }: CutlayerError, lived: boolean): boolean {
    if (code === 'SESSION_EVICTED') {
      this.#opened = false;
      return true;
    }
    const renews = code === 'TOKEN_EXPIRED' && !this.#tokenExpired;
    if (renews) this.#tokenExpired = true;
    // A stream has its deadline, its connection an age, and both an end when nothing is sent.
    return renews || (lived && code !== 'QUEUE_FULL' && (retry === 'same' || code === 'DEADLINE_EXCEEDED'));
  }

  /** A stream whose session has the rows that this one has. */
  async #attached(): Promise<DecodeStream> {
    if (this.#stream !== undefined) return this.#stream;
    const stream = await this.#connection.decodeStream(this.#tokenExpired);
    this.#stream = stream;
    const { length } = await stream.ask(this.#opened && !this.#anew ? this.#resuming(this.#length) : this.#opening());
    this.#opened = true;
    this.#anew = false;
    this.#tokenExpired = false;
    for (let at = length; at < this.#length; ) {
      const end = Math.min(this.#length, at + this.#messageRows);
      await this.#send(stream, at, await this.#options.replay(at, end), 0);
      at = end;
    }
    return stream;
  }

  #opening(): DecodeRequest {
    const { adapter, maxRows, longRope = false } = this.#options;
    const { card, wireDtype, counters } = this.#connection;
    if (adapter !== undefined) counters.bytesUp += wireBytes(adapter.value.shape, wireDtype);
    const parts =
      adapter === undefined ? {} : { [adapter.kind]: encodeTensor(adapter.value, wireDtype, adapter.kind), adapter: adapter.kind };
    return { open: { sessionId: this.#id, backboneDigest: card.backboneDigest, maxRows, longRope, ...parts }, action: 'open' };
  }

  #resuming(length: number): DecodeRequest {
    return { resume: { sessionId: this.#id, length }, action: 'resume' };
  }

  /** Sends rows in messages; gives the outputs of the last `wanted` rows, which one message has. */
  async #send(stream: DecodeStream, from: number, { shape, data }: Floats, wanted: number): Promise<Floats> {
    const { wireDtype, counters } = this.#connection;
    const [count, width] = shape as [number, number];
    for (let at = 0, end = 0; ; at = end) {
      end = Math.min(count, at + this.#messageRows);
      if (end < count) end = Math.min(end, count - wanted);
      const part = f32([end - at, width], data.subarray(at * width, end * width));
      const rows = encodeTensor(part, wireDtype, 'rows');
      counters.bytesUp += wireBytes(part.shape, wireDtype);
      const positions = end === count ? Array.from({ length: wanted }, (_, row) => end - at - wanted + row) : [];
      // A gateway that does not know `noRows` answers with the last row.
      const append = { from: from + at, rows, positions, noRows: positions.length === 0 };
      const answer: DecodeResponse__Output = await stream.ask({ append, action: 'append' });
      counters.bytesDown += (answer.rows?.data.length ?? 0) + (answer.rows?.scales.length ?? 0);
      if (end === count && wanted === 0) return f32([0, width], []);
      if (end === count) return decodeTensor(answer.rows, { name: 'Decode.rows', shape: [wanted, width] });
    }
  }
}
