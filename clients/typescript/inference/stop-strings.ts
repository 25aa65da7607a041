/** Ends a text at a stop string, which may be spread over several pieces and is never shown. */
import { CutlayerError } from '../../../src/errors.js';

/** Bounds of stop strings. */
const MOST = 64;
const LONGEST = 4096;

/** What can be shown of the text. */
export interface Shown {
  readonly text: string;
  /** The stop string at which the text ends. */
  readonly stop?: string;
}

/** Watches one text. */
export class StopStrings {
  readonly #stops: readonly string[];
  /** An end of the text that may be the beginning of a stop string. */
  #held = '';

  /** @throws CutlayerError INVALID_ARGUMENT (an empty one, a long one, or too many) */
  constructor(stops: readonly string[]) {
    const wrong = stops.find((stop) => stop.length === 0 || stop.length > LONGEST);
    if (wrong !== undefined)
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        `generate: stop: expected strings of 1 to ${LONGEST} characters, got one of ${wrong.length}`,
      );
    if (stops.length > MOST)
      throw new CutlayerError('INVALID_ARGUMENT', `generate: stop: expected at most ${MOST} strings, got ${stops.length}`);
    this.#stops = stops;
  }

  /** Takes a piece of text. After a stop string, no more may follow. */
  push(piece: string): Shown {
    const text = this.#held + piece;
    const found = this.#stops.map((stop) => ({ stop, at: text.indexOf(stop) })).filter(({ at }) => at >= 0);
    const [first] = found.sort((a, b) => a.at - b.at || b.stop.length - a.stop.length);
    if (first !== undefined) {
      this.#held = '';
      return { text: text.slice(0, first.at), stop: first.stop };
    }
    const held = Math.max(0, ...this.#stops.map((stop) => overlap(text, stop)));
    this.#held = text.slice(text.length - held);
    return { text: text.slice(0, text.length - held) };
  }

  /** What was held back, when no text follows. */
  finish(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }
}

/** The length of the longest end of `text` that a longer `stop` begins with. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}
