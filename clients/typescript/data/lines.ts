/** Streams the lines of a UTF-8 text file, so that it is never held in memory as a whole. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { CutlayerError } from '../../../src/errors.js';

/** One line of a file, its number counted from 1. */
export interface Line {
  readonly number: number;
  readonly text: string;
}

/** Longest line that is read, in bytes. */
export const MAX_LINE_BYTES = 8 * 1024 * 1024;

/**
 * Yields every line without its end. A byte order mark at the start is dropped.
 * @throws CutlayerError NOT_FOUND, or INVALID_DATA with file:line (directory, long line, no UTF-8)
 */
export async function* readLines(file: string, maxLineBytes = MAX_LINE_BYTES): AsyncGenerator<Line> {
  const info = await stat(file).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${file}: no such data file (or it cannot be read)`, { cause });
  });
  if (!info.isFile()) throw new CutlayerError('INVALID_DATA', `${file}: expected a JSONL file, got a directory or device`);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let number = 0;
  const decode = (bytes: Buffer): Line => {
    number += 1;
    try {
      const text = decoder.decode(bytes);
      const unmarked = number === 1 && text.startsWith('\uFEFF') ? text.slice(1) : text;
      return { number, text: unmarked.endsWith('\r') ? unmarked.slice(0, -1) : unmarked };
    } catch (cause) {
      throw new CutlayerError('INVALID_DATA', `${file}:${number}: not valid UTF-8; save the file as UTF-8 JSON lines`, { cause });
    }
  };
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      pending.push(chunk.subarray(start, end));
      pendingBytes += end - start;
      refuseLong(pendingBytes);
      yield decode(Buffer.concat(pending));
      pending = [];
      pendingBytes = 0;
      start = end + 1;
    }
    pending.push(chunk.subarray(start));
    pendingBytes += chunk.length - start;
    refuseLong(pendingBytes);
  }
  if (pendingBytes > 0) yield decode(Buffer.concat(pending));

  function refuseLong(bytes: number): void {
    if (bytes > maxLineBytes) {
      throw new CutlayerError(
        'INVALID_DATA',
        `${file}:${number + 1}: a line longer than ${maxLineBytes} bytes; expected one JSON object per line`,
      );
    }
  }
}
