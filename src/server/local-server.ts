/** A file of the state directory that tells commands of the same machine how to reach a server. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { CutlayerError } from '../errors.js';
import { readStateFile, writeStateFile } from './state-files.js';

/** Which file it is. */
export interface LocalServerOptions<Schema> {
  readonly file: string;
  /** The command that writes it, for errors. */
  readonly command: string;
  readonly schema: Schema;
}

/** The file of one kind of server. */
export class LocalServerFile<Schema extends z.ZodType<{ readonly pid: number }>> {
  readonly #options: LocalServerOptions<Schema>;

  constructor(options: LocalServerOptions<Schema>) {
    this.#options = options;
  }

  /** Undefined when no server runs there. @throws CutlayerError IO_ERROR */
  async read(dir: string): Promise<z.output<Schema> | undefined> {
    const { file, command, schema } = this.#options;
    const text = await readStateFile(dir, file);
    if (text === undefined) return undefined;
    try {
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      throw new CutlayerError('IO_ERROR', `${file} in ${dir}: expected what ${command} writes, got something else; remove it`, { cause });
    }
  }

  /**
   * Writes the file.
   * @returns removes it, unless a later server has written its own
   * @throws CutlayerError IO_ERROR
   */
  async write(dir: string, server: z.output<Schema>): Promise<() => Promise<void>> {
    const { file } = this.#options;
    await writeStateFile(dir, file, `${JSON.stringify(server)}\n`);
    return async () => {
      if ((await this.read(dir).catch(() => undefined))?.pid === server.pid) await rm(join(dir, file), { force: true });
    };
  }
}

/** This machine's address of a server that listens on every interface. */
export function localHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
