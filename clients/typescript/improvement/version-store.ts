/**
 * Versions on disk: `versions/v000003` each, and `adapter`, a link to the promoted one. The link is
 * replaced in one step, so that a reader finds the old version or the new one, never none.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { syncDirectory, writeDirectoryAtomic, writeFailure, writeFileAtomic } from '../../../src/files/atomic-file.js';

/** The stable path of the promoted adapter, in a state directory. */
export const PROMOTED_LINK = 'adapter';
const VERSIONS = 'versions';
/** Newest versions that are kept beside the promoted one. */
export const KEPT_VERSIONS = 10;

/** Directory of a version. */
export function versionDirectory(dir: string, version: number): string {
  return join(dir, VERSIONS, `v${String(version).padStart(6, '0')}`);
}

/** Copies a saved adapter to its place, durably, with no other version touched. @returns digest */
export async function storeVersion(dir: string, version: number, adapterDir: string): Promise<string> {
  const target = versionDirectory(dir, version);
  await writeDirectoryAtomic(target, (temporary) => copyDurably(adapterDir, temporary));
  return digestOfFiles(target);
}

async function copyDurably(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (!entry.isDirectory()) await writeFileAtomic(target, await readFile(source));
    else {
      await mkdir(target, { mode: 0o700 });
      await copyDurably(source, target);
    }
  }
}

/** Whether a version's files are there. */
export async function hasVersion(dir: string, version: number): Promise<boolean> {
  return (await stat(versionDirectory(dir, version)).catch(() => undefined))?.isDirectory() === true;
}

/**
 * Points the link at a version; does nothing when it does already. @throws CutlayerError IO_ERROR
 */
export async function linkPromoted(dir: string, version: number): Promise<void> {
  const link = join(dir, PROMOTED_LINK);
  const target = join(VERSIONS, versionDirectory('', version).split('/').at(-1)!);
  if ((await readlink(link).catch(() => undefined)) === target) return;
  const temporary = join(dir, `.tmp-${randomUUID()}`);
  try {
    await symlink(target, temporary, 'dir');
    await rename(temporary, link);
    await syncDirectory(dir);
  } catch (error) {
    throw writeFailure(link, error);
  }
}

/** Removes old versions, old runs and what a killed process has left. @param promoted stays */
export async function pruneState(dir: string, promoted: number, keptRuns: number): Promise<void> {
  await keepNewest(join(dir, VERSIONS), /^v\d{6,}$/, KEPT_VERSIONS, versionDirectory('', promoted).split('/').at(-1));
  await keepNewest(join(dir, 'runs'), /^r\d{6,}$/, keptRuns);
  for (const parent of [dir, join(dir, VERSIONS)]) {
    for (const entry of await readdir(parent).catch(() => []))
      if (entry.startsWith('.tmp-')) await rm(join(parent, entry), { recursive: true, force: true });
  }
}

async function keepNewest(parent: string, name: RegExp, count: number, keep?: string): Promise<void> {
  const entries = (await readdir(parent).catch(() => [])).filter((entry) => name.test(entry)).sort();
  for (const old of entries.slice(0, -count)) if (old !== keep) await rm(join(parent, old), { recursive: true, force: true });
}

/** sha256 over the names and bytes of a directory's files, hex. @throws CutlayerError NOT_FOUND */
export async function digestOfFiles(dir: string): Promise<string> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${dir}: no such directory`, { cause });
  });
  const hash = createHash('sha256');
  for (const path of entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()) {
    const bytes = await readFile(path);
    hash.update(`${path.slice(dir.length)} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}
