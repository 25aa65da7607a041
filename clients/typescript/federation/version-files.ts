/** Promoted versions on disk in PEFT's format: `adapter/` to use, `versions/`: the newest few. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDirectoryAtomic, writeFileAtomic } from '../../../src/files/atomic-file.js';
import type { Adapter } from '../adapters/adapter.js';
import { trainedOnFile } from '../adapters/trained-on.js';
import type { RecordedDefence } from '../defences/defence.js';

const KEPT_VERSIONS = 5;

/**
 * Writes the adapter to both places, each atomically.
 * @param defences That this member trains with @returns The directory to use.
 */
export async function writeVersion(
  stateDir: string,
  version: number,
  adapter: Pick<Adapter, 'save'>,
  defences: readonly RecordedDefence[] = [],
): Promise<string> {
  const save = async (dir: string): Promise<void> => {
    await adapter.save(dir);
    if (defences.length === 0) return;
    const { name, text } = trainedOnFile(undefined, defences);
    await writeFileAtomic(join(dir, name), text);
  };
  const versions = join(stateDir, 'versions');
  await writeDirectoryAtomic(join(versions, name(version)), save);
  const dir = join(stateDir, 'adapter');
  await writeDirectoryAtomic(dir, save);
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
