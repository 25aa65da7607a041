/**
 * Takes tool calls out of a text as it comes. What is no call stays text, character by character.
 */
import { parseJson } from '../../../../src/files/json-text.js';
import type { ToolForm } from './tool-form.js';

/** A call as the model wrote it. */
export interface ToolCall {
  readonly name: string;
  /** JSON text of an object. */
  readonly arguments: string;
}

/** What a piece of text adds. */
export interface ReadPiece {
  readonly text: string;
  readonly calls: readonly ToolCall[];
}

/** Reads one answer. */
export interface ToolCallReader {
  push(piece: string): ReadPiece;
  /** What was held back, when no text follows. */
  finish(): ReadPiece;
}

/** Longest text of a call that is held back; a longer one is text. */
const LONGEST_CALL = 1_000_000;
/** Longest white space that is held back because a call may follow. */
const LONGEST_SPACE = 4096;

const OPEN = '<tool_call>';
const CLOSE = '</tool_call>';

/** @param form Undefined: all is text. */
export function toolCallReader(form: ToolForm | undefined): ToolCallReader {
  if (form === 'tagged') return new TaggedCalls();
  if (form === 'object') return new ObjectCall();
  return { push: (text) => ({ text, calls: [] }), finish: () => ({ text: '', calls: [] }) };
}

/** `<tool_call>` tags; white space beside them is no text. */
class TaggedCalls implements ToolCallReader {
  #held = '';
  /** Pieces since a tag opened: they are joined when it may have closed, not at each piece. */
  #inside: HeldPieces | undefined;
  #called = false;

  push(piece: string): ReadPiece {
    if (this.#inside !== undefined) {
      this.#inside.add(piece);
      if (!this.#inside.hasJustHad(CLOSE) && this.#inside.length <= LONGEST_CALL) return { text: '', calls: [] };
      this.#held += this.#inside.text();
      this.#inside = undefined;
    } else this.#held += piece;
    const calls: ToolCall[] = [];
    let text = '';
    for (;;) {
      const open = this.#held.indexOf(OPEN);
      if (open < 0) break;
      const close = this.#held.indexOf(CLOSE, open);
      if (close < 0) {
        // What comes before the tag is held too: its white space is known when the tag ends.
        if (this.#held.length - open > LONGEST_CALL) return { text: text + this.#take(this.#held.length), calls };
        this.#inside = new HeldPieces(this.#held.slice(1 - CLOSE.length));
        return { text, calls };
      }
      const end = close + CLOSE.length;
      const call = callOf(this.#held.slice(open + OPEN.length, close), 'arguments');
      const before = this.#take(call === undefined ? end : open);
      text += call === undefined ? before : before.trimEnd();
      if (call === undefined) continue;
      this.#take(end - open);
      this.#called = true;
      calls.push(call);
    }
    // Held: white space that a tag may follow, and the beginning of a tag.
    const begun = beginningOf(OPEN, this.#held);
    const before = this.#held.slice(0, this.#held.length - begun);
    const shown = before.trimEnd().length;
    if (before.length - shown > LONGEST_SPACE) return { text: text + this.#take(before.length), calls };
    return { text: text + this.#take(shown), calls };
  }

  finish(): ReadPiece {
    const text = this.#take(this.#held.length) + (this.#inside?.text() ?? '');
    return { text: this.#called && text.trim() === '' ? '' : text, calls: [] };
  }

  #take(length: number): string {
    const taken = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return taken;
  }
}

/** Characters at a text's end with which a tag begins. */
function beginningOf(tag: string, text: string): number {
  for (let length = tag.length - 1; length > 0; length--) if (text.endsWith(tag.slice(0, length))) return length;
  return 0;
}

/** The whole answer is one JSON object, or several with `;` between them. */
class ObjectCall implements ToolCallReader {
  #held = new HeldPieces();
  /** The first character that is no white space. */
  #first: string | undefined;
  #isText = false;

  push(piece: string): ReadPiece {
    if (this.#isText) return { text: piece, calls: [] };
    this.#held.add(piece);
    this.#first ??= piece.trimStart()[0];
    if ((this.#first === undefined || this.#first === '{') && this.#held.length <= LONGEST_CALL) return { text: '', calls: [] };
    this.#isText = true;
    return { text: this.#taken(), calls: [] };
  }

  finish(): ReadPiece {
    const held = this.#held.text();
    const whole = callOf(held, 'parameters');
    const calls = whole === undefined ? held.split(/;\s*(?=\{)/).map((part) => callOf(part, 'parameters')) : [whole];
    const text = this.#taken();
    return calls.includes(undefined) ? { text, calls: [] } : { text: '', calls: calls as ToolCall[] }; // none is undefined
  }

  #taken(): string {
    const held = this.#held.text();
    this.#held = new HeldPieces();
    return held;
  }
}

/** Pieces of a text that are joined once: joining at each piece would copy all of it each time. */
class HeldPieces {
  readonly #pieces: string[] = [];
  /** The end of the text before the last piece, and that piece. */
  #end: string;
  #length = 0;

  /** @param before The end of what came before; it is not part of the text. */
  constructor(before = '') {
    this.#end = before;
  }

  get length(): number {
    return this.#length;
  }

  add(piece: string): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    this.#end = this.#end.slice(1 - CLOSE.length) + piece;
  }

  /** Whether a tag ends in the last piece. */
  hasJustHad(tag: typeof CLOSE): boolean {
    return this.#end.includes(tag);
  }

  text(): string {
    return this.#pieces.join('');
  }
}

/** A call from its JSON; undefined for any other text. */
function callOf(json: string, key: 'arguments' | 'parameters'): ToolCall | undefined {
  let value: unknown;
  try {
    value = parseJson(json.trim());
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { name, [key]: given, [key === 'arguments' ? 'parameters' : 'arguments']: other } = value as Readonly<Record<string, unknown>>;
  const values = given ?? other ?? {};
  if (typeof name !== 'string' || name === '' || typeof values !== 'object') return undefined;
  return { name, arguments: JSON.stringify(values) };
}
