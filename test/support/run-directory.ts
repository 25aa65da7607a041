/**
 * One directory for all that a test run writes: temporary directory and home of all its processes.
 * So nothing is left behind, and no file of the developer is read or changed.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Mocha calls it once, before it starts a process per core. */
export function mochaGlobalSetup(): void {
  const parent = fastDirectory();
  if (parent === MEMORY) removeLeft();
  const directory = mkdtempSync(join(parent, `${NAME}${process.pid}-`));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  for (const variable of ['TMPDIR', 'TEMP', 'TMP', 'HOME', 'USERPROFILE']) process.env[variable] = directory;
  process.env.CUTLAYER_TEST_DIRECTORY = directory;
}

/** The run's directory; undefined in a process that no run of tests has started. */
export function runDirectory(): string | undefined {
  return process.env.CUTLAYER_TEST_DIRECTORY;
}

const NAME = 'cutlayer-test-';
const MEMORY = '/dev/shm';
/** A run writes less than a quarter of this. */
const ROOM = 4 * 2 ** 30;

/**
 * A directory in memory where the system has one with room and TMPDIR names no other: many tests
 * wait for a disk otherwise, since databases are synchronized at each transaction.
 */
function fastDirectory(): string {
  if (process.env.TMPDIR !== undefined) return tmpdir();
  try {
    const [, , , flags] = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .find(([, at]) => at === MEMORY)!;
    const { bavail, bsize } = statfsSync(MEMORY);
    if (bavail * bsize >= ROOM && !flags!.split(',').includes('noexec')) return MEMORY;
  } catch {
    // No such directory, or not Linux.
  }
  return tmpdir();
}

/** What runs have left that were killed: it would fill the memory. */
function removeLeft(): void {
  for (const name of readdirSync(MEMORY)) {
    const pid = /^cutlayer-test-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(MEMORY, name), { recursive: true, force: true });
  }
}
