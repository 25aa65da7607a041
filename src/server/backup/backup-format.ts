/**
 * The file of a backup: lines of JSON. The first says whose it is. Each table follows with its
 * rows, parents first, and then the files of the state directory. The last line has the sha256 of
 * those before it. The form is the same for both engines, so a backup moves a store between them.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import type { ColumnValue } from '../store/column-value.js';

/** Bytes of the last line: `{"sha256":"<64 hex>"}` and its end. */
const FOOTER_BYTES = 78;

const name = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/);

/**
 * Whether a file of a state directory belongs in a backup. Databases, locks and addresses are made
 * again. A coordinator's newest state must not become older with its database.
 */
export const isStateFile = (file: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(file) &&
  !/\.db(-wal|-shm|\.lock|\.latest|\.restoring.*)?$|\.(tmp|lock)$|^(local-)?server\.json$/.test(file);

const value = z.union([z.string(), z.int(), z.null(), z.strictObject({ base64: z.string() })]);

const headerSchema = z.strictObject({
  format: z.literal('cutlayer-backup-1'),
  role: z.enum(['gateway', 'coordinator']),
  /** Milliseconds since 1970. */
  at: z.int(),
  migrations: z.array(z.string().max(100)).max(1000),
});
const lineSchema = z.union([
  z.strictObject({ table: name, columns: z.array(name).max(100) }),
  z.strictObject({ row: z.array(value).max(100) }),
  z.strictObject({ file: z.string().refine(isStateFile), mode: z.int().min(0).max(0o777), base64: z.string() }),
]);
const footerSchema = z.strictObject({ sha256: z.string().length(64) });

/** The first line. */
export type BackupHeader = Readonly<z.output<typeof headerSchema>>;
/** A line between the first and the last. */
export type BackupLine = Readonly<z.output<typeof lineSchema>>;

/** A column's value as JSON. */
export const toJsonValue = (column: ColumnValue): z.output<typeof value> =>
  column instanceof Uint8Array ? { base64: Buffer.from(column).toString('base64') } : column;

/** The reverse of {@link toJsonValue}. */
export const fromJsonValue = (json: z.output<typeof value>): ColumnValue =>
  json !== null && typeof json === 'object' ? new Uint8Array(Buffer.from(json.base64, 'base64')) : json;

/** The last line. */
export const footer = (sha256: string): string => `${JSON.stringify({ sha256 })}\n`;

/**
 * Checks a file's digest and reads its first line.
 * @throws CutlayerError INVALID_ARGUMENT when it is no backup; DIGEST_MISMATCH; IO_ERROR
 */
export async function verifyBackup(path: string): Promise<BackupHeader> {
  const content = await contentBytes(path);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { end: content - 1 })) hash.update(chunk as Buffer);
  if (hash.digest('hex') !== (await readFooter(path, content)))
    throw new CutlayerError('DIGEST_MISMATCH', `${path}: the backup is damaged or cut off; take another one`);
  for await (const line of lines(path, content)) return parsed(path, headerSchema, line);
  throw noBackup(path);
}

/**
 * The lines after the first, of a file that was verified. @throws CutlayerError INVALID_ARGUMENT
 */
export async function* readBackup(path: string): AsyncGenerator<BackupLine> {
  let first = true;
  for await (const line of lines(path, await contentBytes(path))) {
    if (!first) yield parsed(path, lineSchema, line);
    first = false;
  }
}

async function contentBytes(path: string): Promise<number> {
  const file = await open(path).catch((cause: unknown) => {
    throw new CutlayerError('IO_ERROR', `${path}: cannot be read; is its path right?`, { cause });
  });
  try {
    const { size } = await file.stat();
    if (size <= FOOTER_BYTES) throw noBackup(path);
    return size - FOOTER_BYTES;
  } finally {
    await file.close();
  }
}

async function readFooter(path: string, from: number): Promise<string> {
  let text = '';
  for await (const chunk of createReadStream(path, { start: from, encoding: 'latin1' })) text += String(chunk);
  try {
    return footerSchema.parse(JSON.parse(text)).sha256;
  } catch (cause) {
    throw new CutlayerError('DIGEST_MISMATCH', `${path}: expected the whole of a backup, got a file without its last line`, { cause });
  }
}

const lines = (path: string, bytes: number): AsyncIterable<string> =>
  createInterface({ input: createReadStream(path, { end: bytes - 1 }), crlfDelay: Number.POSITIVE_INFINITY });

function parsed<T>(path: string, schema: z.ZodType<T>, line: string): T {
  try {
    return schema.parse(JSON.parse(line));
  } catch {
    throw noBackup(path); // the cause would show a row
  }
}

const noBackup = (path: string): CutlayerError =>
  new CutlayerError('INVALID_ARGUMENT', `${path}: expected a file that backup has written, got another`);
