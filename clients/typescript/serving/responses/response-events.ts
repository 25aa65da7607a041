/**
 * The events of an answer of `/v1/responses`, in their order, and the items that they amount to.
 * @see https://platform.openai.com/docs/api-reference/responses-streaming
 */
import type { ChatDelta, NamedCall } from '../chat/chat-choice.js';

/** An event before it has its number. */
export interface ResponseEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** An item of the answer: a message or a function call. */
export type OutputItem = Readonly<Record<string, unknown>>;

/** Makes items from an answer's pieces. */
export class ResponseItems {
  readonly #newId: (prefix: string) => string;
  readonly #items: OutputItem[] = [];
  /** The message that text is added to. */
  #open: { readonly id: string; text: string } | undefined;

  constructor(newId: (prefix: string) => string) {
    this.#newId = newId;
  }

  /** Whole items. */
  get items(): readonly OutputItem[] {
    return this.#items;
  }

  push({ text, calls, finish }: ChatDelta): readonly ResponseEvent[] {
    const events: ResponseEvent[] = [];
    if (text !== '') events.push(...this.#addText(text));
    for (const call of calls) events.push(...this.#closeMessage('completed'), ...this.#addCall(call));
    if (finish === undefined) return events;
    // An answer without text or calls is an empty message.
    if (this.#open === undefined && this.#items.length === 0) events.push(...this.#addText(''));
    events.push(...this.#closeMessage(finish === 'length' ? 'incomplete' : 'completed'));
    return events;
  }

  #addText(delta: string): readonly ResponseEvent[] {
    const events: ResponseEvent[] = [];
    const place = { output_index: this.#items.length, content_index: 0 };
    if (this.#open === undefined) {
      this.#open = { id: this.#newId('msg_'), text: '' };
      const { id } = this.#open;
      events.push({ type: 'response.output_item.added', output_index: place.output_index, item: message(id, 'in_progress', []) });
      events.push({ type: 'response.content_part.added', item_id: id, ...place, part: part('') });
    }
    this.#open.text += delta;
    if (delta !== '') events.push({ type: 'response.output_text.delta', item_id: this.#open.id, ...place, delta, logprobs: [] });
    return events;
  }

  #closeMessage(status: 'completed' | 'incomplete'): readonly ResponseEvent[] {
    if (this.#open === undefined) return [];
    const { id, text } = this.#open;
    const place = { output_index: this.#items.length, content_index: 0 };
    const item = message(id, status, [part(text)]);
    this.#open = undefined;
    this.#items.push(item);
    return [
      { type: 'response.output_text.done', item_id: id, ...place, text, logprobs: [] },
      { type: 'response.content_part.done', item_id: id, ...place, part: part(text) },
      { type: 'response.output_item.done', output_index: place.output_index, item },
    ];
  }

  #addCall({ id: call_id, name, arguments: given }: NamedCall): readonly ResponseEvent[] {
    const id = this.#newId('fc_');
    const output_index = this.#items.length;
    const item = { type: 'function_call', id, call_id, name, arguments: given, status: 'completed' };
    this.#items.push(item);
    return [
      { type: 'response.output_item.added', output_index, item: { ...item, arguments: '', status: 'in_progress' } },
      { type: 'response.function_call_arguments.delta', item_id: id, output_index, delta: given },
      { type: 'response.function_call_arguments.done', item_id: id, output_index, name, arguments: given },
      { type: 'response.output_item.done', output_index, item },
    ];
  }
}

const part = (text: string) => ({ type: 'output_text', text, annotations: [], logprobs: [] });

const message = (id: string, status: string, content: readonly object[]): OutputItem => ({
  type: 'message',
  id,
  status,
  role: 'assistant',
  content,
});
