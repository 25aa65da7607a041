/** One answer of a chat as it comes: text, tool calls, log probabilities, end. */
import type { Finish, ScoredToken } from '../../inference/continuation.js';
import type { NumberedPiece } from '../../inference/generate.js';
import { finiteLogprob, type TokenTexts } from '../model/token-texts.js';
import { type ToolCall, toolCallReader } from '../tools/tool-calls.js';
import type { ToolForm } from '../tools/tool-form.js';

/** Why an answer ended. */
export type ChatFinish = Finish | 'tool_calls';

/** A call with its name in the conversation. */
export interface NamedCall extends ToolCall {
  readonly id: string;
}

/** What a piece adds to an answer. */
export interface ChatDelta {
  readonly text: string;
  readonly calls: readonly NamedCall[];
  readonly logprobs: readonly ChatLogprob[];
  /** Present in the last one. */
  readonly finish?: ChatFinish;
  /** The stop string that ended the text. */
  readonly stop?: string;
}

/** As `choices[].logprobs.content[]`. */
export interface ChatLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
  readonly top_logprobs: readonly Omit<ChatLogprob, 'top_logprobs'>[];
}

/** How an answer is read. */
export interface ChoiceOptions {
  readonly form: ToolForm | undefined;
  /** False: the answer ends after its first call. */
  readonly parallelCalls: boolean;
  /** Undefined: no log probabilities. */
  readonly texts: TokenTexts | undefined;
  readonly newId: (prefix: string) => string;
}

export class ChatChoice {
  readonly #options: ChoiceOptions;
  readonly #reader;
  #calls = 0;
  #ended = false;

  constructor(options: ChoiceOptions) {
    this.#options = options;
    this.#reader = toolCallReader(options.form);
  }

  /** Whether it has ended; further pieces are not for it. */
  get ended(): boolean {
    return this.#ended;
  }

  push({ token, text, finish, stop }: NumberedPiece): ChatDelta {
    const read = this.#reader.push(text);
    const rest = finish === undefined ? { text: '', calls: [] } : this.#reader.finish();
    const calls = this.#named([...read.calls, ...rest.calls]);
    const { texts } = this.#options;
    const logprobs = token === undefined || texts === undefined ? [] : [chatLogprob(token, texts)];
    const said = { text: read.text + rest.text, calls, logprobs, ...(stop !== undefined && { stop }) };
    if (finish === undefined && (this.#options.parallelCalls || this.#calls === 0)) return said;
    this.#ended = true;
    return { ...said, finish: this.#calls > 0 && finish !== 'length' ? 'tool_calls' : (finish ?? 'stop') };
  }

  #named(calls: readonly ToolCall[]): readonly NamedCall[] {
    const taken = this.#options.parallelCalls ? calls : calls.slice(0, 1 - Math.min(1, this.#calls));
    this.#calls += taken.length;
    return taken.map((call) => ({ ...call, id: this.#options.newId('call_') }));
  }
}

function chatLogprob(scored: ScoredToken, texts: TokenTexts): ChatLogprob {
  const [own, ...top] = texts.of([scored, ...scored.top]);
  const shown = (text: { readonly token: string; readonly bytes: readonly number[] }, logprob: number) => ({
    token: text.token,
    logprob: finiteLogprob(logprob),
    bytes: text.bytes,
  });
  return { ...shown(own!, scored.logprob), top_logprobs: top.map((text, at) => shown(text, scored.top[at]!.logprob)) };
}
