/** The files of an audit log: `audit-000000000000.jsonl`, named by their first entry's number. */
import { createHash } from 'node:crypto';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CutlayerError } from '../../errors.js';
import { type AuditEntry, broken, MAX_LINE_BYTES, readEntry } from './chain.js';

const NAME = /^audit-(\d{12})\.jsonl$/;
const NEW_LINE = 0x0a;
const CHUNK_BYTES = 256 * 1024;

/** The name of the file whose first entry has a number. */
export const fileName = (sequence: number): string => `audit-${String(sequence).padStart(12, '0')}.jsonl`;

/** The number that a file's name gives its first entry; undefined for another name. */
export function firstOf(path: string): number | undefined {
  const match = NAME.exec(basename(path));
  return match === null ? undefined : Number(match[1]);
}

/** The files of a directory, in order. @throws CutlayerError NOT_FOUND, IO_ERROR */
export async function auditFiles(dir: string): Promise<readonly string[]> {
  const names = await readdir(dir).catch((cause: NodeJS.ErrnoException) => {
    throw new CutlayerError(cause.code === 'ENOENT' ? 'NOT_FOUND' : 'IO_ERROR', `${dir}: cannot be read (${cause.code})`, { cause });
  });
  return names
    .filter((name) => NAME.test(name))
    .sort()
    .map((name) => join(dir, name));
}

/**
 * The files of a path: a directory's, or the one file. @throws CutlayerError NOT_FOUND, IO_ERROR
 */
export async function filesAt(path: string): Promise<readonly string[]> {
  const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new CutlayerError('NOT_FOUND', `${path}: there is no audit log (${cause.code})`, { cause });
  });
  return info.isDirectory() ? auditFiles(path) : [path];
}

/** A line of a file. */
export interface AuditLine {
  readonly text: string;
  /** False for a last line without an end. */
  readonly whole: boolean;
}

/**
 * The lines of a file, one at a time. @throws CutlayerError AUDIT_BROKEN for one that is too long
 */
export async function* linesOf(path: string): AsyncGenerator<AuditLine> {
  const file = await open(path, 'r');
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of file.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false })) {
      rest = Buffer.concat([rest, chunk as Buffer]); // a stream without an encoding gives bytes
      let from = 0;
      for (let end = rest.indexOf(NEW_LINE); end >= 0; end = rest.indexOf(NEW_LINE, from)) {
        yield { text: rest.toString('utf8', from, end), whole: true };
        from = end + 1;
      }
      rest = rest.subarray(from);
      if (rest.length > MAX_LINE_BYTES) throw broken(path, `expected lines of at most ${MAX_LINE_BYTES} bytes, got a longer one`);
    }
    if (rest.length > 0) yield { text: rest.toString('utf8'), whole: false };
  } finally {
    await file.close();
  }
}

/** The end of a file, as a killed process may have left it. */
export interface FileEnd {
  /** Its last whole entry; undefined without any. */
  readonly last: AuditEntry | undefined;
  /** Bytes up to the end of that entry. */
  readonly bytes: number;
  /** The bytes after it, when there are some. */
  readonly torn: { readonly bytes: number; readonly sha256: string } | undefined;
}

/**
 * Reads the end of a file. @throws CutlayerError AUDIT_BROKEN when its last whole line is no entry
 */
export async function fileEnd(path: string): Promise<FileEnd> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - 2 * MAX_LINE_BYTES);
    const end = await readAt(file, from, size - from);
    const whole = end.lastIndexOf(NEW_LINE) + 1;
    const begin = end.lastIndexOf(NEW_LINE, whole - 2) + 1;
    const tornBytes = end.subarray(whole);
    const torn =
      tornBytes.length === 0 ? undefined : { bytes: tornBytes.length, sha256: createHash('sha256').update(tornBytes).digest('hex') };
    const last = whole === 0 ? undefined : readEntry(end.toString('utf8', begin, whole - 1), path);
    return { last, bytes: from + whole, torn };
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, from: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await file.read(bytes, at, length - at, from + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}
