/**
 * The lock of a run's directory between processes: two runs would spoil each other's metrics and
 * checkpoints. The lock of a dead process is taken over.
 */
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { CutlayerError } from '../errors.js';
import { type Holder, type ProcessLock, tryLockWithin } from './process-lock.js';

const LOCK_FILE = 'run.lock';

/** What a directory is locked for, in the words of its errors. */
export interface LockPurpose {
  /** The flag that names the directory. */
  readonly flag: string;
  /** What the holder has been doing. */
  readonly activity: string;
  /** How long it is waited for, in milliseconds. Default: not at all. */
  readonly waitMs?: number | undefined;
}

const TRAINING_RUN: LockPurpose = { flag: '--out', activity: 'writing a run here' };

/** A lock that is held. */
export type RunLock = ProcessLock;

/**
 * Takes the lock of a directory, which is made if missing.
 * @throws CutlayerError ALREADY_EXISTS naming the process that holds it; IO_ERROR for the directory
 */
export async function lockRun(dir: string, purpose: LockPurpose = TRAINING_RUN): Promise<RunLock> {
  const { flag, waitMs = 0 } = purpose;
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'EEXIST' || cause.code === 'ENOTDIR' ? 'a file is in the way' : (cause.code ?? 'it failed');
    throw new CutlayerError('IO_ERROR', `${dir}: cannot be made a directory (${reason}); choose another ${flag}`, { cause });
  });
  const path = join(dir, LOCK_FILE);
  const found = await tryLockWithin(path, waitMs).catch((cause: unknown) => {
    throw new CutlayerError('IO_ERROR', `${CutlayerError.from(cause).message}; choose another ${flag}`, { cause });
  });
  if (found === undefined) throw new CutlayerError('ALREADY_EXISTS', `${dir}: another run is being started here; choose another ${flag}`);
  if ('release' in found) return found;
  throw refusal(dir, found, purpose);
}

function refusal(dir: string, { pid, host, since }: Holder, { flag, activity }: LockPurpose): CutlayerError {
  const elsewhere =
    host === hostname() ? '' : `; whether it still runs cannot be told from this machine: if it does not, delete ${join(dir, LOCK_FILE)}`;
  return new CutlayerError(
    'ALREADY_EXISTS',
    `${dir}: process ${pid} on ${host} has been ${activity} since ${since}; wait for its end, or choose another ${flag}${elsewhere}`,
    { details: { pid, host } },
  );
}
