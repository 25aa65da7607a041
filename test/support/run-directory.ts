/**
 * One directory for all that a test run writes: temporary directory and home of all its processes.
 * So nothing is left behind, and no file of the developer is read or changed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Mocha calls it once, before it starts a process per core. */
export function mochaGlobalSetup(): void {
  const directory = mkdtempSync(join(tmpdir(), 'cutlayer-test-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  for (const variable of ['TMPDIR', 'TEMP', 'TMP', 'HOME', 'USERPROFILE']) process.env[variable] = directory;
  process.env.CUTLAYER_TEST_DIRECTORY = directory;
}

/** The run's directory; undefined in a process that no run of tests has started. */
export function runDirectory(): string | undefined {
  return process.env.CUTLAYER_TEST_DIRECTORY;
}
