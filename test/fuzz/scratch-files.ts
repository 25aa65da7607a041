/** Files for parsers that read from disk: one directory a process, in memory where the machine has such a place. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let root: string | undefined;

/** A directory that is removed at the end of the process. */
export function scratchDirectory(): string {
  if (root === undefined) {
    const made = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'cutlayer-fuzz-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    root = made;
  }
  return root;
}

/** Writes a file into it and gives its path. */
export function scratchFile(name: string, bytes: Uint8Array | string): string {
  const path = join(scratchDirectory(), name);
  writeFileSync(path, bytes);
  return path;
}
