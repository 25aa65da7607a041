/** Promoted versions on disk in PEFT's format: `adapter/` to use, `versions/`: the newest few. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDirectoryAtomic } from '../../../src/files/atomic-file.js';
import type { Adapter } from '../adapters/adapter.js';

const KEPT_VERSIONS = 5;

/** Writes the adapter to both places, each atomically. @returns The directory to use. */
export async function writeVersion(stateDir: string, version: number, adapter: Pick<Adapter, 'save'>): Promise<string> {
  const versions = join(stateDir, 'versions');
  await writeDirectoryAtomic(join(versions, name(version)), (temporary) => adapter.save(temporary));
  const dir = join(stateDir, 'adapter');
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
