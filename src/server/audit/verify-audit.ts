/**
 * Checks an audit log from its files: every hash, the order, the files, the checkpoints, the end.
 */
import { CutlayerError } from '../../errors.js';
import { filesAt, firstOf, linesOf } from './audit-files.js';
import { type AuditEntry, beforeFirst, broken, type ChainHead, readEntry, requireFollows } from './chain.js';
import { requireCheckpoint } from './checkpoint.js';

/** What is known of a log from elsewhere. */
export interface VerifyOptions {
  /** A head that was noted earlier: the log must still hold it. */
  readonly remembered?: ChainHead | undefined;
  /** The public key of its checkpoints. Default: the one that the first entry names. */
  readonly publicKey?: string | undefined;
}

/** What a log holds that is as it was written. */
export interface VerifiedAudit {
  readonly files: number;
  readonly entries: number;
  /** The number of the first entry that is there; more than 0 when earlier files are elsewhere. */
  readonly first: number;
  readonly head: ChainHead;
  readonly checkpoints: number;
  /** The last checkpoint's number; undefined without any. Entries up to it are signed. */
  readonly signedUpTo: number | undefined;
  readonly publicKey: string | undefined;
  /** Bytes of an incomplete last line: its process was killed, or the file was cut. */
  readonly tornBytes: number;
}

/** The state of a walk over the entries. */
interface Walk {
  head: ChainHead | undefined;
  first: number;
  entries: number;
  checkpoints: number;
  signedUpTo: number | undefined;
  publicKey: string | undefined;
  rememberedSeen: boolean;
  tornBytes: number;
}

/**
 * Reads a directory of files, or one file.
 * @throws CutlayerError AUDIT_BROKEN naming file, line and entry where the log is not as it was
 *   written; NOT_FOUND; IO_ERROR
 */
export async function verifyAudit(path: string, { remembered, publicKey }: VerifyOptions = {}): Promise<VerifiedAudit> {
  const files = await filesAt(path);
  if (files.length === 0) throw new CutlayerError('NOT_FOUND', `${path}: there is no audit log in this directory`);
  const walk: Walk = {
    ...{ head: undefined, first: 0, entries: 0, checkpoints: 0, signedUpTo: undefined, publicKey },
    ...{ rememberedSeen: false, tornBytes: 0 },
  };
  for (const [index, file] of files.entries()) await readFile(file, index === files.length - 1, walk, remembered);
  const { head, rememberedSeen, ...found } = walk;
  if (head === undefined) throw broken(path, 'expected at least one entry, got none');
  if (remembered !== undefined && !rememberedSeen) {
    const why = remembered.sequence > head.sequence ? `ends with entry ${head.sequence}: its end was cut off` : 'does not have that entry';
    throw broken(path, `entry ${remembered.sequence} was there earlier, and the log ${why}`);
  }
  return { files: files.length, head, ...found };
}

async function readFile(file: string, isLast: boolean, walk: Walk, remembered: ChainHead | undefined): Promise<void> {
  let line = 0;
  for await (const { text, whole } of linesOf(file)) {
    line += 1;
    const where = `${file}:${line}`;
    if (!whole) {
      if (!isLast) throw broken(where, 'the file ends within a line, and another follows it');
      walk.tornBytes = Buffer.byteLength(text);
      return;
    }
    const entry = readEntry(text, where);
    if (line === 1) requireName(file, entry);
    visit(entry, where, walk, remembered);
  }
}

/** A missing file shows in the names too. */
function requireName(file: string, { sequence }: AuditEntry): void {
  const named = firstOf(file);
  if (named !== undefined && named !== sequence)
    throw broken(`${file}:1`, `expected entry ${named}, as the file's name says, got ${sequence}`);
}

function visit(entry: AuditEntry, where: string, walk: Walk, remembered: ChainHead | undefined): void {
  if (walk.head !== undefined) requireFollows(entry, walk.head, where);
  else {
    if (entry.sequence === 0) requireFollows(entry, beforeFirst, where);
    walk.first = entry.sequence;
  }
  if (entry.event === 'chain' || entry.event === 'checkpoint') walk.publicKey ??= String(entry.publicKey);
  if (entry.event === 'checkpoint') {
    requireCheckpoint(entry, walk.publicKey!, where);
    walk.checkpoints += 1;
    walk.signedUpTo = entry.sequence;
  }
  if (entry.sequence === remembered?.sequence) {
    if (entry.hash !== remembered.hash)
      throw broken(where, `entry ${entry.sequence} is not the one that was there earlier: the log was written anew`);
    walk.rememberedSeen = true;
  }
  walk.entries += 1;
  walk.head = { sequence: entry.sequence, hash: entry.hash };
}
