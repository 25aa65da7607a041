/** A lock between processes: a file that names its holder. That of a dead process is taken over. */
import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { CutlayerError } from '../errors.js';
import { createFileAtomic } from './atomic-file.js';

/** Two starts may disturb each other over a dead lock; a third attempt finds a living one. */
const ATTEMPTS = 3;
/** How often a lock that another process holds is asked for. */
const POLL_MS = 20;

const holderSchema = z.object({
  id: z.string().regex(/^[\w-]{1,64}$/),
  pid: z.int().min(1),
  host: z.string(),
  since: z.string(),
  /** Start of the process, by the kernel: ids are reused. Empty where the system tells none. */
  processStart: z.string(),
});

/** The process that holds a lock. */
export type Holder = z.infer<typeof holderSchema>;

/** A lock that is held. */
export interface ProcessLock {
  /** Gives it back. May be called twice. */
  release(): Promise<void>;
}

/** How long a lock counts whose holder cannot be looked for: one on another machine. */
export interface LockTerms {
  /** Milliseconds. Default: for ever. */
  readonly foreignMs?: number;
}

/**
 * Takes a lock that is free.
 * @returns the lock, or who holds it; undefined when several are at it just now
 * @throws CutlayerError IO_ERROR
 */
export async function tryLock(path: string, terms: LockTerms = {}): Promise<ProcessLock | Holder | undefined> {
  const mine: Holder = {
    id: randomUUID(),
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    processStart: await processStart(process.pid),
  };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await createFileAtomic(path, `${JSON.stringify(mine)}\n`, { durable: false })) return { release: () => release(path, mine) };
    const holder = await readHolder(path);
    if (holder === undefined) continue; // it was given back just now
    if (holder !== 'unreadable' && (await alive(holder, terms))) return holder;
    await clearAway(path, holder, terms);
  }
  return undefined;
}

/**
 * Takes a lock, and waits for it.
 * @throws CutlayerError UNAVAILABLE naming the holder when it is not given back within `ms`;
 *   IO_ERROR
 */
export async function lockWithin(path: string, ms: number, terms: LockTerms = {}): Promise<ProcessLock> {
  const found = await tryLockWithin(path, ms, terms);
  if (found !== undefined && 'release' in found) return found;
  const who = found === undefined ? 'other processes have' : `process ${found.pid} on ${found.host} has`;
  throw new CutlayerError('UNAVAILABLE', `${path}: ${who} held this lock for ${ms / 1000} s; try again`);
}

/**
 * Takes a lock, and waits for it.
 * @returns as {@link tryLock}, `ms` later where others hold it
 * @throws CutlayerError IO_ERROR
 */
export async function tryLockWithin(path: string, ms: number, terms: LockTerms = {}): Promise<ProcessLock | Holder | undefined> {
  const until = performance.now() + ms;
  for (;;) {
    const found = await tryLock(path, terms);
    if ((found !== undefined && 'release' in found) || performance.now() >= until) return found;
    await setTimeout(POLL_MS);
  }
}

/**
 * Undefined when there is no lock. A lock is written whole, so half a file belongs to no process.
 * @throws CutlayerError IO_ERROR when it cannot be read
 */
async function readHolder(path: string): Promise<Holder | 'unreadable' | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new CutlayerError('IO_ERROR', `${path}: cannot be read (${code ?? 'it failed'})`, { cause });
  }
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return 'unreadable';
  }
}

async function alive({ pid, host, since, processStart: started }: Holder, { foreignMs }: LockTerms): Promise<boolean> {
  if (host !== hostname()) return foreignMs === undefined || !(Date.now() >= Date.parse(since) + foreignMs);
  try {
    process.kill(pid, 0);
  } catch (caught) {
    // EPERM: it lives, and belongs to another user.
    return (caught as NodeJS.ErrnoException).code === 'EPERM';
  }
  return started === '' || started === (await processStart(pid));
}

/**
 * Removes a dead process's lock. A process holds a second lock while it does so. So between its
 * look and the removal, no other can have put a living lock in the dead one's place.
 */
async function clearAway(path: string, dead: Holder | 'unreadable', terms: LockTerms): Promise<void> {
  const name = idOf(dead);
  const guard = await tryLock(`${path}.${name}`, terms);
  if (guard === undefined || !('release' in guard)) return;
  try {
    const found = await readHolder(path);
    if (found !== undefined && idOf(found) === name) await rm(path, { force: true });
  } finally {
    await guard.release();
  }
}

const idOf = (holder: Holder | 'unreadable'): string => (holder === 'unreadable' ? holder : holder.id);

async function release(path: string, mine: Holder): Promise<void> {
  const found = await readHolder(path).catch(() => undefined);
  if (found !== undefined && idOf(found) === mine.id) await rm(path, { force: true });
}

/** Field 22 of Linux's /proc/<pid>/stat; the name in field 2 may hold blanks and brackets. */
async function processStart(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
