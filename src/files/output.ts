/**
 * What a command prints: the one way to standard output and standard error. Text may come from the
 * other side (errors, names, reasons, generated text). So controls and terminal escapes are left
 * out of it here, and no other file writes to the two streams.
 */
import { stripVTControlCharacters } from 'node:util';

/** Controls (C0, DEL, C1), line and paragraph separators, and marks that reorder a line. */
const CONTROLS = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;
const CLEAR_LINE = '\r\u001b[K';
const CLEAR_SCREEN = '\u001b[2J\u001b[H';

/** Text without terminal escapes and controls; line ends and tabs stay. */
export function plainText(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROLS, '');
}

/** As {@link plainText}, in one line: each line end is a space. */
export function plainLine(text: string): string {
  return plainText(text).replaceAll('\n', ' ');
}

/** Lines after the first are indented, so that none looks like a line of its own. */
export function plainParagraph(text: string): string {
  return plainText(text).replace(/\n(?! {2})/g, '\n  ');
}

/** A value as JSON without raw controls: they are escaped, so that parsing gives the same value. */
export function plainJson(value: unknown, indent = 0): string {
  return escapeControls(JSON.stringify(value, null, indent));
}

/** Escapes the controls in a text of JSON. */
export function escapeControls(json: string): string {
  return json.replace(CONTROLS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A stream that a person may read. */
export class Output {
  readonly #stream: () => NodeJS.WritableStream & { readonly isTTY?: boolean };

  /** @param stream Found anew for each text, for a process may replace its streams. */
  constructor(stream: () => NodeJS.WritableStream & { readonly isTTY?: boolean }) {
    this.#stream = stream;
  }

  /** Whether a terminal shows it. */
  get isTTY(): boolean {
    return this.#stream().isTTY === true;
  }

  /** Prints one line. */
  line(text: string): void {
    this.#write(`${plainLine(text)}\n`);
  }

  /** Prints text of any lines, as it is. */
  text(text: string): void {
    this.#write(plainText(text));
  }

  /** Prints messages of some lines each, at once. */
  paragraphs(...texts: readonly string[]): void {
    this.#write(texts.map((text) => `${plainParagraph(text)}\n`).join(''));
  }

  /** Prints a value as JSON. */
  json(value: unknown, indent = 0): void {
    this.#write(`${plainJson(value, indent)}\n`);
  }

  /** Shows a line on a terminal that the next one replaces; nothing elsewhere. */
  status(text: string): void {
    if (this.isTTY) this.#write(`${CLEAR_LINE}${plainLine(text)}\r`);
  }

  /** Takes a status line, or a bar, off a terminal. */
  clearStatus(): void {
    if (this.isTTY) this.#write(CLEAR_LINE);
  }

  /** Empties a terminal. */
  clearScreen(): void {
    if (this.isTTY) this.#write(CLEAR_SCREEN);
  }

  #write(text: string): void {
    this.#stream().write(text);
  }
}

/** What a command answers. */
export const stdout = new Output(() => process.stdout);

/** What a command says beside its answer. */
export const stderr = new Output(() => process.stderr);

/** The stream on which a bar is drawn, of numbers and plain lines only. */
export const terminal = (): NodeJS.WriteStream => process.stderr;
