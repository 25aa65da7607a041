/** A bar on the last line of a terminal, with lines printed above it. */
import { type Options, SingleBar } from 'cli-progress';

/** The terminal's own memory of a cursor position. */
const SAVE = '\x1B7';
const RESTORE = '\x1B8';

/**
 * A bar that is cleared where it stands when it ends. The package's own goes back to the line where
 * it began, and clears what has been printed there since.
 */
export function progressBar(stream: NodeJS.WriteStream, options: Options & { readonly format: string }): SingleBar {
  const write = (text: string, ...rest: never[]): boolean => text === SAVE || text === RESTORE || stream.write(text, ...rest);
  const quiet = Object.create(stream, { write: { value: write } }) as NodeJS.WriteStream; // all else is the stream's
  return new SingleBar({ stream: quiet, hideCursor: true, clearOnComplete: true, linewrap: false, ...options });
}
