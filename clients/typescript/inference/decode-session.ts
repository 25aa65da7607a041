/**
 * A span of tokens that grows: each token is computed once. The backbone's keys and values are kept
 * at the gateway, those of the client's own blocks here.
 */
import { CutlayerError } from '../../../src/errors.js';
import { concatRows } from '../../../src/tensor/floats.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { StepParts } from '../adapters/adapter.js';
import { canDecode, decodeNote, promptInputRows, tokenInputRows } from '../model/decode-rows.js';
import { HeldBlocks } from '../model/held-blocks.js';
import { RemoteSession, type RemoteSessionOptions } from '../model/remote-session.js';
import type { SplitModel } from '../model/split-model.js';
import { layersOf } from '../model/split-step.js';

type Floats = Tensor<'float32'>;

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
  /** Rows that came with the gateway's opening; the first of `sent` follows them. */
  #opened = 0;
  /** Rows as they entered the backbone, where the client's blocks have computed them. */
  #sent: Float32Array[] = [];
  #blocks: HeldBlocks | undefined;
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

  /** What to tell of a bundle without sessions, though the gateway has them; else undefined. */
  static note({ bundle, remote }: SplitModel): string | undefined {
    return decodeNote(bundle, remote);
  }

  /**
   * Opens a session with an adapter's parts.
   * @throws CutlayerError LIMIT_EXCEEDED (more tokens than the gateway decodes), and as
   *   `RemoteSession.open` and `HeldBlocks.open`
   */
  static async open(model: SplitModel, parts: StepParts, { maxTokens, signal }: DecodeSessionOptions): Promise<DecodeSession> {
    const session = new DecodeSession(model, parts, []);
    const maxRows = session.#virtualRows + maxTokens;
    const { maxDecodeRows } = model.remote.connection.card;
    if (maxRows > maxDecodeRows)
      throw new CutlayerError('LIMIT_EXCEEDED', `decode: expected at most ${maxDecodeRows} tokens, virtual ones included, got ${maxRows}`);
    try {
      await session.#begin(maxRows, signal);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** The tokens that it has. */
  get ids(): readonly number[] {
    return this.#ids;
  }

  /**
   * Appends tokens, at least one; gives the last hidden states after the last `wanted` of them, as
   * the head takes them: [wanted, hiddenSize].
   * @throws CutlayerError the gateway's; SESSION_EVICTED (also where keys and values of the
   *   client's blocks are lost); CANCELLED
   */
  async append(ids: readonly number[], wanted = 1, signal?: AbortSignal): Promise<Floats> {
    const at = this.#virtualRows + this.#ids.length;
    const output = await this.#through(await this.#rows(ids, at, signal), at, wanted, signal);
    this.#ids.push(...ids);
    return output;
  }

  /** Drops tokens from the end. @param length tokens that stay */
  rollback(length: number): void {
    this.#open().remote.rollback(this.#virtualRows + length);
    this.#ids.length = length;
  }

  /** A copy that goes on by itself. @throws CutlayerError as open */
  async fork(signal?: AbortSignal): Promise<DecodeSession> {
    const { blocks, remote } = this.#open();
    const copy = new DecodeSession(this.#model, this.#parts, this.#ids);
    const rows = this.#virtualRows + this.#ids.length;
    copy.#opened = this.#opened;
    copy.#sent = this.#sent.slice(0, rows - this.#opened);
    try {
      copy.#blocks = await blocks.fork(rows);
      remote.rollback(rows);
      copy.#remote = await remote.fork(copy.#replay, signal);
      return copy;
    } catch (error) {
      copy.close();
      throw error;
    }
  }

  /** Ends it at once; the gateway and the client's blocks free its memory. */
  close(): void {
    this.#remote?.close();
    this.#remote = undefined;
    this.#blocks?.close();
    this.#blocks = undefined;
  }

  /** Opens both sides. A top needs the backbone's output at every row, the soft prompt's too. */
  async #begin(maxRows: number, signal?: AbortSignal): Promise<void> {
    const { bundle, remote } = this.#model;
    const { softPrompt, prefix } = this.#parts;
    const { bottom, backbone } = bundle.dims;
    const blocks = await HeldBlocks.open(bundle, this.#parts, maxRows);
    this.#blocks = blocks;
    const prompt = softPrompt && (await promptInputRows(bundle, softPrompt, signal));
    let adapter: RemoteSessionOptions['adapter'];
    if (prefix !== undefined) adapter = { kind: 'prefix', value: layersOf(prefix, bottom, backbone) };
    else if (prompt !== undefined && !blocks.hasTop) adapter = { kind: 'softPrompt', value: await blocks.below(prompt, 0, signal) };
    this.#opened = adapter === undefined ? 0 : this.#virtualRows;
    this.#remote = await RemoteSession.open(remote.connection, { maxRows, adapter, replay: this.#replay, signal });
    if (prompt !== undefined && blocks.hasTop) await this.#through(prompt, 0, 1, signal);
  }

  /**
   * New rows through bottom, backbone and top. @param at rows that are before them
   * @returns the output of the last `wanted`: [wanted, hiddenSize]
   */
  async #through(rows: Floats, at: number, wanted: number, signal?: AbortSignal): Promise<Floats> {
    const { blocks, remote } = this.#open();
    // Rows of an append that failed above the backbone.
    remote.rollback(at);
    const sent = await blocks.below(rows, at, signal);
    if (blocks.any) this.#keep(sent, at);
    if (!blocks.hasTop) return remote.append(sent, wanted, signal);
    const count = sent.shape[0]!;
    let last: Floats | undefined;
    for (let from = 0; from < count; from += remote.maxWanted) {
      const part = rowsOf(sent, from, Math.min(count, from + remote.maxWanted));
      const output = await blocks.above(await remote.append(part, part.shape[0], signal), at + from, signal);
      const all = last === undefined ? output : concatRows([last, output]);
      last = rowsOf(all, Math.max(0, all.shape[0]! - wanted), all.shape[0]!);
    }
    return last!;
  }

  #keep({ data, shape }: Floats, at: number): void {
    const [count, width] = shape as [number, number];
    this.#sent.length = at - this.#opened;
    for (let row = 0; row < count; row++) this.#sent.push(data.subarray(row * width, (row + 1) * width));
  }

  #open(): { readonly blocks: HeldBlocks; readonly remote: RemoteSession } {
    if (this.#remote !== undefined && this.#blocks !== undefined) return { blocks: this.#blocks, remote: this.#remote };
    throw new CutlayerError('INVALID_ARGUMENT', 'session: it is closed; open another');
  }

  #rows(ids: readonly number[], position: number, signal?: AbortSignal): Promise<Floats> {
    return tokenInputRows(this.#model.bundle, this.#parts, ids, position, signal);
  }

  /** Rows without blocks of the client below them are made anew; others have been kept. */
  readonly #replay = async (from: number, to: number): Promise<Floats> => {
    if (this.#blocks?.any !== true) return this.#rows(this.#ids.slice(from - this.#virtualRows, to - this.#virtualRows), from);
    const rows = this.#sent.slice(from - this.#opened, to - this.#opened);
    return concatRows(rows.map((row) => f32([1, row.length], row)));
  };
}

/** Rows [start, end). */
function rowsOf({ data, shape }: Floats, start: number, end: number): Floats {
  const width = shape[1]!;
  return f32([end - start, width], data.subarray(start * width, end * width));
}
