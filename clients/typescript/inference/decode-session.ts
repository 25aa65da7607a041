/**
 * A span of tokens that grows: each token is computed once. The backbone's keys and values are kept
 * at the gateway, those of the client's own blocks here.
 *
 * A rope with other frequencies for long sequences changes every row of a sequence that grows
 * beyond its switch. So there all rows are computed once more, and again where the session goes
 * back.
 */
import { CutlayerError } from '../../../src/errors.js';
import { concatRows } from '../../../src/tensor/floats.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { StepParts } from '../adapters/adapter.js';
import type { LearnedPass } from '../defences/learned-pass.js';
import type { RowPlace } from '../defences/row-stage.js';
import { canDecode, decodeNote, promptInputRows, type SessionRows, sessionRows, tokenInputRows } from '../model/decode-rows.js';
import { HeldBlocks } from '../model/held-blocks.js';
import { RemoteSession, type SessionBeginning } from '../model/remote-session.js';
import type { SplitModel } from '../model/split-model.js';
import { layersOf } from '../model/split-step.js';

type Floats = Tensor<'float32'>;

/** How to open a session. */
export interface DecodeSessionOptions {
  /** Tokens that it may have. */
  readonly maxTokens: number;
  /** Tokens of its first append. Default 1. */
  readonly promptTokens?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface ThroughOptions {
  readonly text?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One session. Its operations run one at a time. */
export class DecodeSession {
  readonly #model: SplitModel;
  readonly #parts: StepParts;
  #learned: LearnedPass | undefined;
  readonly #ids: number[];
  readonly #virtualRows: number;
  readonly #maxRows: number;
  /** Which text it is, for defences. */
  readonly #record: string;
  readonly #limits: SessionRows;
  /** Rows that came with the gateway's opening; the first of `sent` follows them. */
  #opened = 0;
  /** Rows as they entered the backbone, where the client's blocks have computed them. */
  #sent: Float32Array[] = [];
  #blocks: HeldBlocks | undefined;
  #remote: RemoteSession | undefined;
  /** Which rope the rows of both sides have; undefined: they are not all there. */
  #longRope: boolean | undefined;
  #closed = false;

  private constructor(
    model: SplitModel,
    parts: StepParts,
    maxTokens: number,
    ids: readonly number[] = [],
    record = model.defences.newRecord(),
  ) {
    this.#model = model;
    this.#record = record;
    this.#parts = parts;
    this.#ids = [...ids];
    this.#virtualRows = virtualRowsOf(parts);
    this.#maxRows = this.#virtualRows + maxTokens;
    this.#limits = sessionRows(model.bundle, model.remote);
  }

  /** Whether sessions of a model and an adapter's parts are possible at all. */
  static possible({ bundle, remote, defences }: SplitModel, parts: StepParts): boolean {
    // Each row that is appended would show how long the text is.
    return !defences.pads && canDecode(bundle, remote, parts);
  }

  /** What to tell of a bundle without sessions, though the gateway has them; else undefined. */
  static note({ bundle, remote }: SplitModel): string | undefined {
    return decodeNote(bundle, remote);
  }

  /** Tokens of the longest session of a model with an adapter's parts. */
  static longest({ bundle, remote }: SplitModel, parts: StepParts): number {
    const { short, long } = sessionRows(bundle, remote);
    return Math.max(short, long) - virtualRowsOf(parts);
  }

  /**
   * Opens a session with an adapter's parts.
   * @throws CutlayerError LIMIT_EXCEEDED (more tokens than the gateway decodes), and as
   *   `RemoteSession.open` and `HeldBlocks.open`
   */
  static async open(model: SplitModel, parts: StepParts, options: DecodeSessionOptions): Promise<DecodeSession> {
    const { maxTokens, promptTokens = 1, signal } = options;
    const session = new DecodeSession(model, parts, maxTokens);
    const longest = DecodeSession.longest(model, parts);
    if (maxTokens > longest) throw tooLong(longest, maxTokens);
    try {
      await session.#begin(session.#isLong(session.#virtualRows + promptTokens), signal);
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

  /** Tokens to which a text of so many may grow before its rows are computed once more. */
  reach(tokens: number): number {
    const most = this.#isLong(this.#virtualRows + tokens) ? this.#maxRows : Math.min(this.#maxRows, this.#limits.short);
    return most - this.#virtualRows;
  }

  /**
   * Appends tokens, at least one; gives the last hidden states after the last `wanted` of them, as
   * the head takes them: [wanted, hiddenSize]. Each is that of a whole sequence which ends there.
   * @throws CutlayerError the gateway's; SESSION_EVICTED (also where keys and values of the
   *   client's blocks are lost); LIMIT_EXCEEDED (more than `maxTokens`); CANCELLED
   */
  async append(ids: readonly number[], wanted = 1, signal?: AbortSignal): Promise<Floats> {
    const before = this.#ids.length;
    if (this.#virtualRows + before + ids.length > this.#maxRows) throw tooLong(this.#maxRows - this.#virtualRows, before + ids.length);
    // Tokens up to the rope's switch, if there is one among these.
    const first = Math.min(ids.length, Math.max(0, this.#limits.short - this.#virtualRows - before));
    const after = Math.min(wanted, ids.length - first);
    if (first === 0 || after === 0 || after === wanted) return this.#append(ids, wanted, signal);
    try {
      const output = await this.#append(ids.slice(0, first), wanted - after, signal);
      return concatRows([output, await this.#append(ids.slice(first), after, signal)]);
    } catch (error) {
      this.#ids.length = before;
      throw error;
    }
  }

  /** Drops tokens from the end. @param length tokens that stay */
  rollback(length: number): void {
    if (length < 0 || length > this.#ids.length)
      throw new CutlayerError('INVALID_ARGUMENT', `rollback: expected 0 to ${this.#ids.length} tokens, got ${length}`);
    // Both sides drop their rows at the next append.
    this.#ids.length = length;
  }

  /** A copy that goes on by itself. @throws CutlayerError as open */
  async fork(signal?: AbortSignal): Promise<DecodeSession> {
    const copy = new DecodeSession(this.#model, this.#parts, this.#maxRows - this.#virtualRows, this.#ids, this.#record);
    if (this.#longRope === undefined) return copy; // it computes its rows at its first append
    const { blocks, remote } = this.#open();
    const rows = this.#virtualRows + this.#ids.length;
    copy.#opened = this.#opened;
    copy.#sent = this.#sent.slice(0, rows - this.#opened);
    try {
      copy.#blocks = await blocks.fork(rows);
      remote.rollback(rows);
      copy.#remote = await remote.fork(copy.#replay, signal);
      copy.#longRope = this.#longRope;
      return copy;
    } catch (error) {
      copy.close();
      throw error;
    }
  }

  /** Ends it at once; the gateway and the client's blocks free its memory. */
  close(): void {
    this.#closed = true;
    this.#remote?.close();
    this.#remote = undefined;
    this.#blocks?.close();
    this.#blocks = undefined;
  }

  /** Whether a sequence of so many rows has the rope of long ones. */
  #isLong(rows: number): boolean {
    return this.#limits.long > 0 && rows > this.#limits.short;
  }

  /** Appends tokens after which no wanted row has another rope than the last one. */
  async #append(ids: readonly number[], wanted: number, signal?: AbortSignal): Promise<Floats> {
    const at = this.#virtualRows + this.#ids.length;
    const longRope = this.#isLong(at + ids.length);
    const goesOn = this.#longRope === longRope;
    if (!goesOn) await this.#begin(longRope, signal);
    const from = goesOn ? at : this.#virtualRows;
    const text = [...this.#ids, ...ids];
    const output = await this.#through(await this.#rows(text, from, signal), from, wanted, { text, signal });
    this.#longRope = longRope;
    this.#ids.push(...ids);
    return output;
  }

  /**
   * Opens both sides, or begins again there, with the virtual tokens alone. A top needs the
   * backbone's output at every row, the soft prompt's too.
   */
  async #begin(longRope: boolean, signal?: AbortSignal): Promise<void> {
    const { bundle, remote } = this.#model;
    const { softPrompt, prefix } = this.#parts;
    const { bottom, backbone } = bundle.dims;
    this.#longRope = undefined;
    this.#blocks?.close();
    this.#blocks = undefined;
    this.#sent = [];
    const maxRows = longRope ? this.#maxRows : Math.min(this.#maxRows, this.#limits.short);
    const blocks = this.#unlessClosed(await HeldBlocks.open(bundle, this.#parts, { rows: maxRows, longRope }));
    this.#blocks = blocks;
    const prompt = softPrompt && (await promptInputRows(bundle, softPrompt, signal));
    let adapter: SessionBeginning['adapter'];
    if (prefix !== undefined) adapter = { kind: 'prefix', value: layersOf(prefix, bottom, backbone) };
    else if (prompt !== undefined && !blocks.hasTop) adapter = { kind: 'softPrompt', value: await blocks.below(prompt, 0, signal) };
    this.#opened = adapter === undefined ? 0 : this.#virtualRows;
    const beginning: SessionBeginning = { maxRows, longRope, adapter };
    if (this.#remote === undefined) {
      const opened = await RemoteSession.open(remote.connection, { ...beginning, replay: this.#replay, signal });
      this.#remote = this.#unlessClosed(opened);
    } else this.#remote.restart(beginning);
    if (prompt !== undefined && blocks.hasTop) await this.#through(prompt, 0, 1, { signal });
    if (this.#ids.length === 0) this.#longRope = longRope;
  }

  /** Closes what was opened for a session that has been closed meanwhile. */
  #unlessClosed<T extends { close(): void }>(opened: T): T {
    if (!this.#closed) return opened;
    opened.close();
    throw closed();
  }

  /**
   * New rows through bottom, backbone and top. @param at rows that are before them
   * @param options.text all tokens up to the last row's; absent for a soft prompt's rows
   * @returns the output of the last `wanted`: [wanted, hiddenSize]
   */
  async #through(rows: Floats, at: number, wanted: number, { text, signal }: ThroughOptions): Promise<Floats> {
    const { blocks, remote } = this.#open();
    // Rows of an append that failed above the backbone.
    remote.rollback(at);
    const sent = await blocks.below(rows, at, signal);
    if (text !== undefined) this.#defend('cut', sent.data, text);
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
    throw closed();
  }

  /** Rows of a text from a position on, as they enter the client's blocks. */
  #rows(text: readonly number[], position: number, signal?: AbortSignal): Promise<Floats> {
    const ids = text.slice(position - this.#virtualRows);
    const onEmbeddings = (rows: Float32Array) => this.#defend('embedding', rows, text);
    return tokenInputRows(this.#model.bundle, this.#parts, { ids, position, onEmbeddings }, signal);
  }

  /** @param rows of a text's last tokens, changed in place */
  #defend(place: RowPlace, rows: Float32Array, tokens: readonly number[]): void {
    const { defences, bundle } = this.#model;
    this.#learned ??= defences.learnedPass(this.#parts.rowTransform);
    defences.defendText(place, rows, { hiddenSize: bundle.dims.hiddenSize, tokens, record: this.#record, learned: this.#learned });
  }

  /** Rows without blocks of the client below them are made anew; others have been kept. */
  readonly #replay = async (from: number, to: number): Promise<Floats> => {
    if (this.#blocks?.any !== true) {
      const text = this.#ids.slice(0, to - this.#virtualRows);
      const made = await this.#rows(text, from);
      this.#defend('cut', made.data, text);
      return made;
    }
    const rows = this.#sent.slice(from - this.#opened, to - this.#opened);
    return concatRows(rows.map((row) => f32([1, row.length], row)));
  };
}

const virtualRowsOf = ({ softPrompt, prefix }: StepParts): number => softPrompt?.shape[0] ?? prefix?.shape[2] ?? 0;

const closed = (): CutlayerError => new CutlayerError('INVALID_ARGUMENT', 'session: it is closed; open another');

const tooLong = (most: number, tokens: number): CutlayerError =>
  new CutlayerError('LIMIT_EXCEEDED', `decode: expected at most ${most} tokens beside the virtual ones, got ${tokens}`, {
    details: { limit: most },
  });

/** Rows [start, end). */
function rowsOf({ data, shape }: Floats, start: number, end: number): Floats {
  const width = shape[1]!;
  return f32([end - start, width], data.subarray(start * width, end * width));
}
