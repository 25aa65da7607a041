/**
 * Next logits of continuations that go on side by side: by a decode session for each where the
 * gateway has them, else by whole sequences. Both give the same tokens.
 */
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { f32 } from '../../../src/tensor/tensor.js';
import type { StepParts } from '../adapters/adapter.js';
import { unlabelledBatch } from '../data/batch.js';
import { type BatchLimits, evaluationBatches } from '../data/order.js';
import type { SplitModel } from '../model/split-model.js';
import { DecodeSession } from './decode-session.js';

/** A text of tokens that grows. */
export interface Growing {
  /** Grows between two calls, by a token at least. */
  readonly ids: readonly number[];
  /** Tokens that may come next: their logits are given too, where that costs no run of its own. */
  readonly draft: readonly number[];
  /** Tokens that it may have in the end. */
  readonly maxTokens: number;
}

/**
 * The logits after a text's tokens, and after each token of its draft or of a part that it begins
 * with: [vocabulary] each.
 */
export type NextLogits = readonly Float32Array[];

/** Gives logits. */
export interface LogitsSource {
  /** Of each text. @throws CutlayerError */
  next(texts: readonly Growing[]): Promise<readonly NextLogits[]>;
  /**
   * A text begins as a copy of another, with its tokens and before either grows: it goes on from
   * its session.
   */
  fork(from: Growing, to: Growing): Promise<void>;
  /** A text has ended. */
  end(text: Growing): void;
  /** All have, also while logits are on their way. */
  close(): void;
}

/** What is done without sessions for: the gateway has none, none so long, or no room. */
const withoutSessions: readonly ErrorCode[] = [
  'UNIMPLEMENTED',
  'ADAPTER_UNSUPPORTED',
  'LIMIT_EXCEEDED',
  'QUEUE_FULL',
  'OUT_OF_MEMORY',
  'SESSION_EVICTED',
];

/** What sources work with. */
export interface LogitsOptions {
  readonly model: SplitModel;
  /** An adapter's; none: the bare model. */
  readonly parts: StepParts;
  /** Of a batch of whole sequences. */
  readonly limits: BatchLimits;
  readonly signal?: AbortSignal | undefined;
}

/** Computes the whole sequence for each token. */
export function wholeSequences({ model, parts, limits, signal }: LogitsOptions): LogitsSource {
  /** Which record a text is, as long as it grows. */
  const records = new Map<Growing, string>();
  const recordOf = (text: Growing): string => {
    const record = records.get(text) ?? model.defences.newRecord();
    records.set(text, record);
    return record;
  };
  return {
    async next(texts) {
      const logits: NextLogits[] = [];
      const lengths = texts.map(({ ids }) => ids.length);
      for (const group of evaluationBatches(lengths, limits)) {
        const batch = unlabelledBatch(group.map((at) => texts[at]!.ids));
        const known = { ...batch, records: group.map((at) => recordOf(texts[at]!)) };
        const { data } = await model.nextLogits(known, parts, signal);
        const rows = rowsOf(data, model.bundle.vocabSize);
        for (const [row, at] of group.entries()) logits[at] = [rows[row]!];
      }
      return logits;
    },
    async fork(from, to) {
      records.set(to, recordOf(from));
    },
    end: (text) => void records.delete(text),
    close: () => records.clear(),
  };
}

/** Computes each token once. Steps of all texts are sent at once, so that they run together. */
export function decodeSessions(options: LogitsOptions): LogitsSource {
  const { model, parts, signal } = options;
  const sessions = new Map<Growing, DecodeSession>();
  const without = new Set<Growing>();
  const whole = wholeSequences(options);
  let closed = false;

  function keep(text: Growing, session: DecodeSession): DecodeSession {
    if (closed) session.close();
    sessions.set(text, session);
    return session;
  }

  /** The rows [1, hiddenSize] after texts of one prompt that have no session yet. */
  async function begin(texts: readonly Growing[]): Promise<readonly Float32Array[]> {
    const [first, ...others] = texts as [Growing, ...Growing[]];
    const promptTokens = first.ids.length;
    // A text may outgrow its session, and goes on without.
    const most = Math.min(DecodeSession.longest(model, parts), Math.max(...texts.map((text) => text.maxTokens)));
    const maxTokens = Math.max(most, promptTokens);
    const session = keep(first, await DecodeSession.open(model, parts, { maxTokens, promptTokens, signal }));
    const { data } = await session.append(first.ids, 1, signal);
    for (const other of others) {
      await session.fork(signal).then((fork) => keep(other, fork), goWithout([other]));
    }
    return texts.map(() => data);
  }

  /**
   * The rows after the text and each token of its draft that costs no other, [1 + n, hiddenSize].
   */
  async function step({ ids, draft }: Growing, session: DecodeSession): Promise<Float32Array> {
    // A draft that was wrong from some token on is taken back.
    const same = session.ids.findIndex((id, at) => id !== ids[at]);
    if (same !== -1) session.rollback(same);
    const drafted = draft.slice(0, Math.max(0, session.reach(ids.length) - ids.length));
    return (await session.append([...ids.slice(session.ids.length), ...drafted], 1 + drafted.length, signal)).data;
  }

  /** Remembers texts that go on without a session; other errors are thrown. */
  function goWithout(texts: readonly Growing[]): (caught: unknown) => void {
    return (caught) => {
      const error = CutlayerError.from(caught);
      if (!withoutSessions.includes(error.code)) throw error;
      for (const text of texts) {
        sessions.get(text)?.close();
        sessions.delete(text);
        without.add(text);
      }
    };
  }

  /** The last hidden states [rows, hiddenSize] of the texts that have sessions, or get them. */
  async function decoded(texts: readonly Growing[]): Promise<ReadonlyMap<Growing, Float32Array>> {
    const rows = new Map<Growing, Float32Array>();
    const byPrompt = new Map<string, Growing[]>();
    const work: Promise<void>[] = [];
    for (const text of texts) {
      const session = sessions.get(text);
      if (session === undefined) byPrompt.set(text.ids.join(), [...(byPrompt.get(text.ids.join()) ?? []), text]);
      else work.push(step(text, session).then((row) => void rows.set(text, row), goWithout([text])));
    }
    for (const group of byPrompt.values()) {
      const note = (found: readonly Float32Array[]): void => {
        for (const [at, text] of group.entries()) rows.set(text, found[at]!);
      };
      work.push(begin(group).then(note, goWithout(group)));
    }
    await Promise.all(work);
    return rows;
  }

  /** The logits of each text's rows, in one run of the head. */
  async function headOf(rows: readonly Float32Array[]): Promise<readonly NextLogits[]> {
    const { hiddenSize } = model.bundle.dims;
    const joined = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    const spans = rows.map((row) => {
      joined.set(row, at);
      at += row.length;
      return [(at - row.length) / hiddenSize, at / hiddenSize] as const;
    });
    const { data } = await model.bundle.logits(f32([at / hiddenSize, hiddenSize], joined), parts, signal);
    const logits = rowsOf(data, model.bundle.vocabSize);
    return spans.map(([from, to]) => logits.slice(from, to));
  }

  return {
    async next(texts) {
      const rows = await decoded(texts.filter((text) => !without.has(text)));
      const logits = new Map<Growing, NextLogits>();
      const note = (of: readonly Growing[], found: readonly NextLogits[]): void => {
        for (const [at, text] of of.entries()) logits.set(text, found[at]!);
      };
      if (rows.size > 0) note([...rows.keys()], await headOf([...rows.values()]));
      const others = texts.filter((text) => !logits.has(text));
      if (others.length > 0) note(others, await whole.next(others));
      return texts.map((text) => logits.get(text)!);
    },
    async fork(from, to) {
      await sessions
        .get(from)
        ?.fork(signal)
        .then((fork) => void keep(to, fork), goWithout([to]));
      if (!sessions.has(to)) without.add(to);
    },
    end(text) {
      sessions.get(text)?.close();
      sessions.delete(text);
    },
    close() {
      closed = true;
      for (const session of sessions.values()) session.close();
      sessions.clear();
    },
  };
}

function rowsOf(data: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: data.length / width }, (_, row) => data.subarray(row * width, (row + 1) * width));
}
