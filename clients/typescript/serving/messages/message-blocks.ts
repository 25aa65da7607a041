/**
 * The blocks of an answer of `/v1/messages`, and the events in which they come.
 * @see https://docs.claude.com/en/docs/build-with-claude/streaming
 */
import { parseJson } from '../../../../src/files/json-text.js';
import type { ChatDelta, NamedCall } from '../chat/chat-choice.js';

/** An event; its type is its name. */
export interface MessageEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A block of text, or a call. */
export type MessageBlock = { readonly type: 'text'; readonly text: string; readonly citations: null } | CallBlock;

interface CallBlock {
  readonly type: 'tool_use';
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
}

/** Makes blocks from an answer's pieces. */
export class MessageBlocks {
  readonly #blocks: MessageBlock[] = [];
  /** The text that pieces are added to. */
  #open: string | undefined;

  /** Whole blocks. */
  get blocks(): readonly MessageBlock[] {
    return this.#blocks;
  }

  push({ text, calls, finish }: ChatDelta): readonly MessageEvent[] {
    const events = text === '' ? [] : this.#addText(text);
    for (const call of calls) events.push(...this.#closeText(), ...this.#addCall(call));
    return finish === undefined ? events : [...events, ...this.#closeText()];
  }

  #addText(text: string): MessageEvent[] {
    const index = this.#blocks.length;
    const events: MessageEvent[] = [];
    if (this.#open === undefined)
      events.push({ type: 'content_block_start', index, content_block: { type: 'text', text: '', citations: null } });
    this.#open = (this.#open ?? '') + text;
    events.push({ type: 'content_block_delta', index, delta: { type: 'text_delta', text } });
    return events;
  }

  #closeText(): readonly MessageEvent[] {
    if (this.#open === undefined) return [];
    const index = this.#blocks.length;
    this.#blocks.push({ type: 'text', text: this.#open, citations: null });
    this.#open = undefined;
    return [{ type: 'content_block_stop', index }];
  }

  #addCall({ id, name, arguments: given }: NamedCall): readonly MessageEvent[] {
    const index = this.#blocks.length;
    this.#blocks.push({ type: 'tool_use', id, name, input: parseJson(given) });
    return [
      { type: 'content_block_start', index, content_block: { type: 'tool_use', id, name, input: {} } },
      { type: 'content_block_delta', index, delta: { type: 'input_json_delta', partial_json: given } },
      { type: 'content_block_stop', index },
    ];
  }
}
