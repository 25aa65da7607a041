/** Generation with a whole forward pass per token: slow, but exact with every cut and adapter. */
import { CutlayerError } from '../../../src/errors.js';
import type { Adapter, StepParts } from '../adapters/adapter.js';
import { taskOf } from '../adapters/task.js';
import { makeBatch } from '../data/batch.js';
import type { ChatMessage } from '../data/messages.js';
import type { TextTokenizer } from '../data/text-tokenizer.js';
import type { SplitModel } from '../model/split-model.js';
import { type ChoiceOptions, tokenChooser } from './token-chooser.js';

/** How tokens are chosen and when to stop. */
export interface GenerateOptions extends ChoiceOptions {
  /** Default 128. */
  readonly maxNewTokens?: number;
  /** The task's name, for an adapter with tasks. */
  readonly task?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Yields ids until a stop token. @throws CutlayerError INVALID_ARGUMENT, CANCELLED */
export async function* generateTokens(
  model: SplitModel,
  adapter: Adapter | undefined,
  promptIds: readonly number[],
  options: GenerateOptions = {},
): AsyncGenerator<number> {
  refuseClassifier(adapter);
  const choose = tokenChooser(options, model.bundle.manifest.generation);
  const task = taskOf(adapter, options.task);
  const parts = await adapter?.parts(task);
  const ids = [...promptIds];
  const room = model.maxLength(adapter?.numVirtualTokens ?? 0) - ids.length;
  if (ids.length === 0 || room < 1) {
    throw new CutlayerError('INVALID_ARGUMENT', `generate: expected a prompt of 1 to ${ids.length + room - 1} tokens, got ${ids.length}`);
  }
  for (let count = Math.min(room, options.maxNewTokens ?? 128); count > 0; count--) {
    const logits = await model.nextLogits(asBatch([ids]), parts, options.signal);
    const next = choose(logits.data, ids);
    if (model.bundle.tokenizer.stopTokenIds.has(next)) return;
    ids.push(next);
    yield next;
  }
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
  const { tokenizer } = model.bundle;
  const generated: number[] = [];
  let shown = '';
  for await (const id of generateTokens(model, adapter, promptIds(tokenizer, prompt), options)) {
    generated.push(id);
    const text = tokenizer.decode(generated);
    // A character may be spread over several tokens: wait for all of it.
    if (text.endsWith('\uFFFD') || !text.startsWith(shown)) continue;
    if (text.length > shown.length) yield text.slice(shown.length);
    shown = text;
  }
  const whole = tokenizer.decode(generated);
  if (whole.length > shown.length && whole.startsWith(shown)) yield whole.slice(shown.length);
}

/** Greedy continuations of several prompts, each up to its own length. @param parts An adapter's */
export async function generateGreedy(
  model: SplitModel,
  parts: StepParts | undefined,
  prompts: readonly { readonly ids: readonly number[]; readonly maxNewTokens: number }[],
  signal?: AbortSignal,
): Promise<readonly (readonly number[])[]> {
  const stop = model.bundle.tokenizer.stopTokenIds;
  const choose = tokenChooser({}, model.bundle.manifest.generation);
  const states = prompts.map(({ ids, maxNewTokens }) => ({ ids: [...ids], generated: [] as number[], left: maxNewTokens }));
  const longest = model.maxLength(parts?.softPrompt?.shape[0] ?? parts?.prefix?.shape[2] ?? 0);
  for (;;) {
    const active = states.filter((state) => state.left > 0 && state.ids.length < longest);
    if (active.length === 0) return states.map((state) => state.generated);
    const logits = await model.nextLogits(asBatch(active.map((state) => state.ids)), parts, signal);
    active.forEach((state, row) => {
      const next = choose(logits.data.subarray(row * model.bundle.vocabSize, (row + 1) * model.bundle.vocabSize), state.ids);
      state.left = stop.has(next) ? 0 : state.left - 1;
      if (stop.has(next)) return;
      state.ids.push(next);
      state.generated.push(next);
    });
  }
}

/** The ids of a prompt, as in a training record: messages have their template's special tokens. */
export function promptIds(tokenizer: TextTokenizer, prompt: Prompt): readonly number[] {
  if (typeof prompt !== 'string') return tokenizer.encode(tokenizer.renderChat(prompt, true));
  return [...tokenizer.leading, ...tokenizer.encode(prompt)];
}

function refuseClassifier(adapter: Adapter | undefined): void {
  if (adapter?.labels === undefined) return;
  throw new CutlayerError(
    'INVALID_ARGUMENT',
    `generate: this adapter is a classification head (${adapter.labels.slice(0, 5).join(', ')}) and generates no text; classify with it, or evaluate it`,
  );
}

function asBatch(sequences: readonly (readonly number[])[]) {
  return makeBatch(sequences.map((ids) => ({ tokenIds: Int32Array.from(ids), labelMask: new Uint8Array(ids.length) })));
}
