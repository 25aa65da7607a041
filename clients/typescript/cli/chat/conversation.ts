/** A conversation at a terminal, a pure state: what a line of input asks for. */
import type { ChatMessage } from '../../data/messages.js';

/** What is to be done after a line. */
export type Turn =
  | { readonly do: 'answer' }
  | { readonly do: 'say'; readonly text: string }
  | { readonly do: 'save'; readonly file: string }
  | { readonly do: 'end' };

const HELP = `/reset begins anew
/system TEXT sets the system message and begins anew
/retry asks for another answer
/save FILE writes the messages as JSON
/exit ends the conversation`;

/** Messages so far; the system message comes first. */
export class Conversation {
  readonly #turns: ChatMessage[] = [];
  #system: string | undefined;
  /** Times that an answer was asked for again, so that it is drawn anew. */
  #retries = 0;

  constructor(system: string | undefined) {
    this.#system = system;
  }

  get messages(): readonly ChatMessage[] {
    return this.#system === undefined ? this.#turns : [{ role: 'system', content: this.#system }, ...this.#turns];
  }

  /** Added to the seed: each answer and each retry is drawn with its own. */
  get drawing(): number {
    return this.#turns.length + this.#retries;
  }

  /** Reads a line of input. A line that begins with `/` is a command. */
  read(line: string): Turn {
    const text = line.trim();
    if (text === '') return { do: 'say', text: '' };
    if (!text.startsWith('/')) {
      this.#turns.push({ role: 'user', content: line });
      return { do: 'answer' };
    }
    const [, name = '', rest = ''] = /^\/(\S*)\s*(.*)$/su.exec(text) ?? [];
    return this.#command(name, rest);
  }

  /** The answer to the last message. */
  answered(text: string): void {
    this.#turns.push({ role: 'assistant', content: text });
  }

  /** Takes the last message back, since it got no answer. */
  takeBack(): void {
    if (this.#turns.at(-1)?.role === 'user') this.#turns.pop();
  }

  #command(name: string, rest: string): Turn {
    switch (name) {
      case 'exit':
        return { do: 'end' };
      case 'help':
        return { do: 'say', text: HELP };
      case 'reset':
        this.#turns.length = 0;
        return { do: 'say', text: 'the conversation begins anew' };
      case 'system':
        this.#turns.length = 0;
        this.#system = rest === '' ? undefined : rest;
        return { do: 'say', text: rest === '' ? 'no system message' : 'the conversation begins anew with this system message' };
      case 'save':
        return rest === '' ? { do: 'say', text: '/save: expected a file' } : { do: 'save', file: rest };
      case 'retry':
        if (this.#turns.at(-1)?.role === 'assistant') this.#turns.pop();
        if (this.#turns.length === 0) return { do: 'say', text: '/retry: there is no message yet' };
        this.#retries++;
        return { do: 'answer' };
      default:
        return { do: 'say', text: `/${name}: no such command\n${HELP}` };
    }
  }
}
