/** Generation: a token of each text at a time, chosen by the client from the logits it computes. */
import { CutlayerError } from '../../../src/errors.js';
import type { Adapter } from '../adapters/adapter.js';
import { taskOf } from '../adapters/task.js';
import type { ChatMessage } from '../data/messages.js';
import { evaluationBatches } from '../data/order.js';
import type { TextTokenizer } from '../data/text-tokenizer.js';
import { type Defences, noDefences } from '../defences/defences.js';
import type { SplitModel } from '../model/split-model.js';
import { batchLimits } from './batch-limits.js';
import { Continuation, type ContinuationOptions, type Piece } from './continuation.js';
import { DecodeSession } from './decode-session.js';
import { Guides } from './grammar/guides.js';
import { decodeSessions, wholeSequences } from './next-logits.js';
import { DEFAULT_DRAFT_TOKENS, DraftedText } from './speculation/drafted-text.js';

/** How tokens are chosen and when to stop. */
export interface GenerateOptions extends ContinuationOptions {
  /** The task's name, for an adapter with tasks. */
  readonly task?: string | undefined;
  /** As {@link ContinueOptions.draftTokens}. */
  readonly draftTokens?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A piece of one of several continuations. */
export interface NumberedPiece extends Piece {
  /** Of the continuation, from 0. */
  readonly index: number;
}

/** How prompts are continued together. */
interface ContinueOptions {
  /** The task's id or name, for an adapter with tasks. */
  readonly task?: number | string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Sequences at a time. Default 8. */
  readonly batchSize?: number | undefined;
  readonly maxTokensPerBatch?: number | undefined;
  /**
   * Most tokens that a step drafts, where the gateway decodes: from the text itself, or by the
   * model's drafter. They save round trips and change no token. Default 16; 0: none.
   */
  readonly draftTokens?: number | undefined;
}

/** A prompt, and how it is continued. */
interface ContinuedPrompt {
  readonly ids: readonly number[];
  readonly options: ContinuationOptions;
  /** Among those of the same prompt. Default 0. */
  readonly number?: number;
}

/**
 * Continues prompts side by side, a token of each at a time. Pieces of one continuation come in
 * order; its last one has `finish`.
 * @throws CutlayerError INVALID_ARGUMENT (an empty or long prompt, settings, a constraint),
 *   LIMIT_EXCEEDED (a constraint's time or memory), CANCELLED
 */
export async function* continueAll(
  model: SplitModel,
  adapter: Adapter | undefined,
  prompts: readonly ContinuedPrompt[],
  options: ContinueOptions = {},
): AsyncGenerator<NumberedPiece> {
  const guides = await Guides.start(model.bundle, prompts);
  const restoring = prompts.map(({ ids }) => model.defences.restoring(ids));
  try {
    for await (const piece of continueGuided(model, adapter, prompts, options, guides)) {
      // The text is checked before its last piece is given.
      await guides.of(piece.index)?.add(piece);
      const entities = restoring[piece.index];
      if (entities === undefined) yield piece;
      else yield { ...piece, text: entities.push(piece.text) + (piece.finish === undefined ? '' : entities.finish()) };
    }
  } finally {
    guides.close();
  }
}

async function* continueGuided(
  model: SplitModel,
  adapter: Adapter | undefined,
  prompts: readonly ContinuedPrompt[],
  { task, signal, batchSize, maxTokensPerBatch, draftTokens = DEFAULT_DRAFT_TOKENS }: ContinueOptions,
  guides: Guides,
): AsyncGenerator<NumberedPiece> {
  refuseClassifier(adapter);
  const parts = await adapter?.parts(taskOf(adapter, task));
  const all = prompts.map(
    ({ ids, options, number }, index) => new Continuation(model, ids, roomAfter(model, adapter, ids), options, number, guides.of(index)),
  );
  const limits = batchLimits(model, adapter, { batchSize, maxTokensPerBatch });
  for (const [index, { finish }] of all.entries()) if (finish !== undefined) yield { index, text: '', finish };
  const decodes = DecodeSession.possible(model, parts ?? {});
  const sourceOptions = { model, parts: parts ?? {}, limits, signal };
  // A draft repeats tokens of the text: each would be sent again, with other noise.
  const drafts = decodes && !model.defences.apart ? draftTokens : 0;
  const texts = all.map((text) => new DraftedText(text, drafts, model.drafter));
  const source = decodes ? decodeSessions(sourceOptions) : wholeSequences(sourceOptions);
  try {
    for (;;) {
      const active = [...all.keys()].filter((index) => all[index]!.finish === undefined);
      if (active.length === 0) return;
      const lengths = all.map(({ ids }) => ids.length);
      // Sessions are few at a time; whole sequences all take turns.
      const groups = decodes ? [active.slice(0, limits.batchSize)] : evaluationBatches(lengths, limits, active);
      for (const group of groups) {
        const began = performance.now();
        await Promise.all(group.map((index) => texts[index]!.plan()));
        const logits = await source.next(group.map((index) => texts[index]!));
        const ms = performance.now() - began;
        for (const [at, index] of group.entries())
          for await (const piece of texts[index]!.choose(logits[at]!, ms, () => guides.ready([index]))) {
            if (piece.finish !== undefined) {
              source.end(texts[index]!);
              texts[index]!.close();
            }
            yield { index, ...piece };
          }
      }
    }
  } finally {
    source.close();
    for (const text of texts) text.close();
  }
}

/** Yields ids until a stop token. @throws CutlayerError INVALID_ARGUMENT, CANCELLED */
export async function* generateTokens(
  model: SplitModel,
  adapter: Adapter | undefined,
  promptIds: readonly number[],
  options: GenerateOptions = {},
): AsyncGenerator<number> {
  for await (const { token } of continueAll(model, adapter, [{ ids: promptIds, options }], options))
    if (token !== undefined) yield token.id;
}

/** A text, tokenized as `prompt` of a record; or messages, rendered with a generation prompt. */
export type Prompt = string | readonly ChatMessage[];

/**
 * Streams the text that follows a prompt.
 * @throws CutlayerError INVALID_DATA (no chat template, or it refuses the messages)
 */
export async function* generate(
  model: SplitModel,
  adapter: Adapter | undefined,
  prompt: Prompt,
  options: GenerateOptions = {},
): AsyncGenerator<string> {
  const ids = promptIds(model.bundle.tokenizer, prompt, model.defences);
  for await (const { text } of continueAll(model, adapter, [{ ids, options }], options)) if (text !== '') yield text;
}

/** The ids of a prompt, as in a training record: messages have their template's special tokens. */
export function promptIds(tokenizer: TextTokenizer, prompt: Prompt, defences: Defences = noDefences): readonly number[] {
  if (typeof prompt !== 'string') return defences.promptIds(tokenizer.renderChat(prompt, true), (text) => [...tokenizer.encode(text)]);
  return defences.promptIds(prompt, (text) => [...tokenizer.leading, ...tokenizer.encode(text)]);
}

/**
 * Positions that the model has after a prompt.
 * @throws CutlayerError INVALID_ARGUMENT (an empty or long prompt, or no adapter that generates)
 */
export function roomAfter(model: SplitModel, adapter: Adapter | undefined, ids: readonly number[]): number {
  refuseClassifier(adapter);
  const longest = model.maxLength(adapter?.numVirtualTokens ?? 0);
  if (ids.length > 0 && ids.length < longest) return longest - ids.length;
  throw new CutlayerError('INVALID_ARGUMENT', `generate: expected a prompt of 1 to ${longest - 1} tokens, got ${ids.length}`);
}

function refuseClassifier(adapter: Adapter | undefined): void {
  if (adapter?.labels === undefined) return;
  throw new CutlayerError(
    'INVALID_ARGUMENT',
    `generate: this adapter is a classification head (${adapter.labels.slice(0, 5).join(', ')}) and generates no text; classify with it, or evaluate it`,
  );
}
