/**
 * Files of one JSON object a line, which grow while their program runs. A killed program may leave
 * a partial last line; opening the file again cuts it off.
 */
import { type FileHandle, open, readFile, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Mutex } from 'async-mutex';
import { syncDirectory, writeFailure, writeFileAtomic } from './atomic-file.js';
import { plainJson } from './output.js';

/** Parses a line; undefined drops it. @param where file and line number, for errors */
export type LineParser<R> = (line: string, where: string) => R | undefined;

/** How a file is opened. */
export interface JsonLinesOptions<R> {
  /** Parses the present lines; dropped ones leave the file. Default: all stay, unread. */
  readonly parse?: LineParser<R>;
  /** Permissions of a new file, less the umask. Default 0o600: its owner's alone. */
  readonly mode?: number;
}

/** An open file of lines. */
export class JsonLines<R extends object> {
  /** The lines that were there, if they were parsed. */
  readonly earlier: readonly R[];
  readonly #path: string;
  readonly #file: FileHandle;
  /** Writes of one handle must not overlap. */
  readonly #turn = new Mutex();
  #bytes: number;

  private constructor(path: string, file: FileHandle, bytes: number, earlier: readonly R[]) {
    this.#path = path;
    this.#file = file;
    this.#bytes = bytes;
    this.earlier = earlier;
  }

  /** Opens or makes a file for appending, durably. @throws what `parse` throws */
  static async open<R extends object>(path: string, { parse, mode = 0o600 }: JsonLinesOptions<R> = {}): Promise<JsonLines<R>> {
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    });
    const whole = bytes.lastIndexOf(0x0a) + 1;
    const lines = bytes.toString('utf8', 0, whole).split('\n').slice(0, -1);
    const kept = parse === undefined ? [] : parsed(path, lines, parse);
    const dropped = parse !== undefined && kept.length < lines.length;
    const text = dropped ? kept.map(({ line }) => `${line}\n`).join('') : undefined;
    if (text !== undefined) await writeFileAtomic(path, text, { mode });
    else if (whole < bytes.length) await truncate(path, whole);
    const file = await open(path, 'a', mode).catch((error: unknown) => {
      throw writeFailure(path, error);
    });
    await file.sync();
    await syncDirectory(dirname(path));
    const length = text === undefined ? whole : Buffer.byteLength(text);
    return new JsonLines(
      path,
      file,
      length,
      kept.map(({ record }) => record),
    );
  }

  /** The file's length. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Appends a line, whole or not at all.
   * @param options.durable it is on disk when this resolves
   * @throws CutlayerError IO_ERROR (a full disk)
   */
  append(record: R, { durable = false } = {}): Promise<void> {
    const line = `${plainJson(record)}\n`;
    return this.#turn.runExclusive(async () => {
      try {
        await this.#file.appendFile(line);
        if (durable) await this.#file.datasync();
      } catch (error) {
        await this.#file.truncate(this.#bytes).catch(() => undefined);
        throw writeFailure(this.#path, error);
      }
      this.#bytes += Buffer.byteLength(line);
    });
  }

  /** Closes the file when what was appended is written. */
  close(): Promise<void> {
    return this.#turn.runExclusive(() => this.#file.close());
  }
}

/** What the lines of a file hold; nothing where there is no file. */
export async function readJsonLines<R>(path: string, parse: LineParser<R>): Promise<readonly R[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return parsed(path, text.split('\n').slice(0, -1), parse).map(({ record }) => record);
}

function parsed<R>(path: string, lines: readonly string[], parse: LineParser<R>): { readonly line: string; readonly record: R }[] {
  return lines.flatMap((line, index) => {
    const record = parse(line, `${path}:${index + 1}`);
    return record === undefined ? [] : [{ line, record }];
  });
}
