/** The last lines of an audit log, over its files. */
import { filesAt, linesOf } from './audit-files.js';

/** At most `most` whole lines, in their order. @throws CutlayerError NOT_FOUND, IO_ERROR */
export async function lastLines(path: string, most: number): Promise<readonly string[]> {
  let found: string[] = [];
  for (const file of [...(await filesAt(path))].reverse()) {
    const lines: string[] = [];
    for await (const { text, whole } of linesOf(file)) {
      if (whole) lines.push(text);
      // Twice as many at most, so that a large file is never held.
      if (lines.length >= 2 * most) lines.splice(0, most);
    }
    found = [...lines, ...found].slice(-most);
    if (found.length >= most) break;
  }
  return found;
}
