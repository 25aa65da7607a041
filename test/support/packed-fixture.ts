/** What `test/fixtures` holds, packed once for all test processes of a run. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { rename, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pack } from '../../src/compiler/pack/pack.js';
import { packageRoot } from '../../src/files/package-root.js';
import { runDirectory } from './run-directory.js';

/** Where the two artifacts lie. */
export interface PackedFixture {
  readonly backboneDir: string;
  readonly bundleDir: string;
}

const packed = new Map<string, Promise<PackedFixture>>();
let root: string | undefined;

/** Packs a fixture, or gives what was packed before. Tests only read it. */
export function packedFixture(name: string, { bottom = 0, top = 0 } = {}): Promise<PackedFixture> {
  const checkpointDir = join(packageRoot(), 'test/fixtures', name);
  return packedOnce(`packed-${name.replaceAll('/', '-')}-${bottom}-${top}`, (outDir) => pack({ checkpointDir, outDir, bottom, top }));
}

/** Packs into a directory of the run, or gives what was packed under this key before. */
export function packedOnce(key: string, packInto: (outDir: string) => Promise<unknown>): Promise<PackedFixture> {
  const known = packed.get(key) ?? packFixture(join(packRoot(), key), packInto);
  packed.set(key, known);
  return known;
}

/** Packs, unless another process does or has done it. */
async function packFixture(outDir: string, packInto: (outDir: string) => Promise<unknown>): Promise<PackedFixture> {
  while (!existsSync(outDir)) {
    const claim = `${outDir}-claim`;
    if (!claimed(claim)) {
      await delay(20);
      continue;
    }
    try {
      // It may have been made between the two questions.
      if (existsSync(outDir)) break;
      const own = `${outDir}-${process.pid}`;
      await packInto(own);
      await rename(own, outDir);
    } finally {
      // After a failure the next process tries it, and says why it fails.
      await rmdir(claim);
    }
  }
  return { backboneDir: join(outDir, 'backbone'), bundleDir: join(outDir, 'client-bundle') };
}

/** Whether this process is the first to make the directory. */
function claimed(directory: string): boolean {
  try {
    mkdirSync(directory);
    return true;
  } catch (caught) {
    if ((caught as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw caught;
  }
}

function packRoot(): string {
  if (root === undefined) root = runDirectory() ?? ownRoot();
  return root;
}

function ownRoot(): string {
  const made = mkdtempSync(join(tmpdir(), 'cutlayer-packed-'));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}
