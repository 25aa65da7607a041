/**
 * The lock of a run's directory between processes: two runs would spoil each other's metrics and
 * checkpoints. The lock of a dead process is taken over.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../errors.js';
import { createFileAtomic } from './atomic-file.js';

const LOCK_FILE = 'run.lock';
/** Two starts may disturb each other over a dead lock; a third attempt finds a living one. */
const ATTEMPTS = 3;

const holderSchema = z.object({
  id: z.string(),
  pid: z.int().min(1),
  host: z.string(),
  since: z.string(),
  /** Start of the process, by the kernel: ids are reused. Empty where the system tells none. */
  processStart: z.string(),
});
type Holder = z.infer<typeof holderSchema>;

/** What a directory is locked for, in the words of its errors. */
export interface LockPurpose {
  /** The flag that names the directory. */
  readonly flag: string;
  /** What the holder has been doing. */
  readonly activity: string;
}

const TRAINING_RUN: LockPurpose = { flag: '--out', activity: 'writing a run here' };

/** A lock that is held. */
export interface RunLock {
  /** Gives it back. May be called twice. */
  release(): Promise<void>;
}

/**
 * Takes the lock of a directory, which is made if missing.
 * @throws CutlayerError ALREADY_EXISTS naming the process that holds it; IO_ERROR for the directory
 */
export async function lockRun(dir: string, purpose: LockPurpose = TRAINING_RUN): Promise<RunLock> {
  const { flag } = purpose;
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'EEXIST' || cause.code === 'ENOTDIR' ? 'a file is in the way' : (cause.code ?? 'it failed');
    throw new CutlayerError('IO_ERROR', `${dir}: cannot be made a directory (${reason}); choose another ${flag}`, { cause });
  });
  const path = join(dir, LOCK_FILE);
  const mine: Holder = {
    id: randomUUID(),
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    processStart: await processStart(process.pid),
  };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await create(path, mine, flag)) return { release: () => release(path, mine) };
    const holder = await readHolder(path);
    if (holder !== undefined && (await alive(holder))) throw refusal(dir, holder, purpose);
    await clearAway(path, holder);
  }
  throw new CutlayerError('ALREADY_EXISTS', `${dir}: another run is being started here; choose another ${flag}`);
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

/** Creates the lock with its content in one step; false when there is one. */
function create(path: string, holder: Holder, flag: string): Promise<boolean> {
  return createFileAtomic(path, `${JSON.stringify(holder)}\n`, { durable: false }).catch((cause: unknown) => {
    throw new CutlayerError('IO_ERROR', `${CutlayerError.from(cause).message}; choose another ${flag}`, { cause });
  });
}

/** Undefined when there is none, or not a whole one. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

async function alive({ pid, host, processStart: started }: Holder): Promise<boolean> {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (caught) {
    // EPERM: it lives, and belongs to another user.
    return (caught as NodeJS.ErrnoException).code === 'EPERM';
  }
  return started === '' || started === (await processStart(pid));
}

/** Removes a dead process's lock; puts it back when another process has taken it in between. */
async function clearAway(path: string, dead: Holder | undefined): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const moved = await readHolder(aside);
  if (moved !== undefined && moved.id !== dead?.id) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

async function release(path: string, mine: Holder): Promise<void> {
  if ((await readHolder(path))?.id === mine.id) await rm(path, { force: true });
}

/** Field 22 of Linux's /proc/<pid>/stat; the name in field 2 may hold blanks and brackets. */
async function processStart(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
