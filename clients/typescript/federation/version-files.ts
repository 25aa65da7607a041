/** Promoted versions on disk, in PEFT's format: `adapter/` is the one to use, `versions/` the newest few. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDirectoryAtomic } from '../../../src/files/atomic-file.js';
import type { Adapter } from '../adapters/adapter.js';

const KEPT_VERSIONS = 5;

/** Where the adapter of the promoted version is. */
export function adapterDirectoryOf(stateDir: string): string {
  return join(stateDir, 'adapter');
}

/** Writes the adapter, whose values are the version's, to both places; each appears whole or not at all. @returns the directory to use */
export async function writeVersion(stateDir: string, version: number, adapter: Pick<Adapter, 'save'>): Promise<string> {
  const versions = join(stateDir, 'versions');
  await writeDirectoryAtomic(join(versions, name(version)), (temporary) => adapter.save(temporary));
  const dir = adapterDirectoryOf(stateDir);
  await writeDirectoryAtomic(dir, (temporary) => adapter.save(temporary));
  const kept = (await readdir(versions)).filter((entry) => /^v\d{6,}$/.test(entry)).sort();
  for (const old of kept.filter((entry) => entry !== name(version)).slice(0, -(KEPT_VERSIONS - 1)))
    await rm(join(versions, old), { recursive: true, force: true });
  for (const parent of [stateDir, versions]) {
    for (const entry of await readdir(parent))
      if (entry.startsWith('.tmp-')) await rm(join(parent, entry), { recursive: true, force: true });
  }
  return dir;
}

function name(version: number): string {
  return `v${String(version).padStart(6, '0')}`;
}
