/** A span of tokens that grows at the gateway: each token is computed once. */
import { CutlayerError } from '../../../src/errors.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { StepParts } from '../adapters/adapter.js';
import { canDecode, sessionAdapter, tokenInputRows } from '../model/decode-rows.js';
import { RemoteSession } from '../model/remote-session.js';
import type { SplitModel } from '../model/split-model.js';

/** How to open a session. */
export interface DecodeSessionOptions {
  /** Tokens that it may have. */
  readonly maxTokens: number;
  readonly signal?: AbortSignal | undefined;
}

/** One session. Its operations run one at a time. */
export class DecodeSession {
  readonly #model: SplitModel;
  readonly #parts: StepParts;
  readonly #ids: number[];
  readonly #virtualRows: number;
  #remote: RemoteSession | undefined;

  private constructor(model: SplitModel, parts: StepParts, ids: readonly number[]) {
    this.#model = model;
    this.#parts = parts;
    this.#ids = [...ids];
    this.#virtualRows = parts.softPrompt?.shape[0] ?? parts.prefix?.shape[2] ?? 0;
  }

  /** Whether sessions of a model and an adapter's parts are possible at all. */
  static possible({ bundle, remote }: SplitModel, parts: StepParts): boolean {
    return canDecode(bundle, remote, parts);
  }

  /**
   * Opens a session with an adapter's parts.
   * @throws CutlayerError LIMIT_EXCEEDED (more tokens than the gateway decodes), and as
   *   `RemoteSession.open`
   */
  static async open(model: SplitModel, parts: StepParts, { maxTokens, signal }: DecodeSessionOptions): Promise<DecodeSession> {
    const session = new DecodeSession(model, parts, []);
    const { connection } = model.remote;
    const maxRows = session.#virtualRows + maxTokens;
    const { maxDecodeRows } = connection.card;
    if (maxRows > maxDecodeRows)
      throw new CutlayerError('LIMIT_EXCEEDED', `decode: expected at most ${maxDecodeRows} tokens, virtual ones included, got ${maxRows}`);
    const adapter = await sessionAdapter(model.bundle, parts, signal);
    session.#remote = await RemoteSession.open(connection, { maxRows, adapter, replay: session.#replay, signal });
    return session;
  }

  /** The tokens that it has. */
  get ids(): readonly number[] {
    return this.#ids;
  }

  /**
   * Appends tokens, at least one; gives the last hidden states after the last `wanted` of them, as
   * the head takes them: [wanted, hiddenSize].
   * @throws CutlayerError the gateway's; CANCELLED
   */
  async append(ids: readonly number[], wanted = 1, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    const rows = await this.#rows(ids, this.#ids.length, signal);
    const output = await this.#open().append(rows, wanted, signal);
    this.#ids.push(...ids);
    return output;
  }

  /** Drops tokens from the end. @param length tokens that stay */
  rollback(length: number): void {
    this.#open().rollback(this.#virtualRows + length);
    this.#ids.length = length;
  }

  /** A copy that goes on by itself. @throws CutlayerError as open */
  async fork(signal?: AbortSignal): Promise<DecodeSession> {
    const copy = new DecodeSession(this.#model, this.#parts, this.#ids);
    copy.#remote = await this.#open().fork(copy.#replay, signal);
    return copy;
  }

  /** Ends it at once; the gateway frees its memory. */
  close(): void {
    this.#remote?.close();
    this.#remote = undefined;
  }

  #open(): RemoteSession {
    if (this.#remote !== undefined) return this.#remote;
    throw new CutlayerError('INVALID_ARGUMENT', 'session: it is closed; open another');
  }

  #rows(ids: readonly number[], at: number, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    return tokenInputRows(this.#model.bundle, this.#parts, ids, this.#virtualRows + at, signal);
  }

  readonly #replay = (from: number, to: number): Promise<Tensor<'float32'>> => {
    const at = from - this.#virtualRows;
    return this.#rows(this.#ids.slice(at, to - this.#virtualRows), at);
  };
}
