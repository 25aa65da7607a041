/** A client bundle as it was packed before clients could decode through their blocks. */
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Copies a bundle, without its entry of decode graphs; the caller removes the copy. */
export async function withoutDecodeGraphs(bundleDir: string): Promise<string> {
  const old = await mkdtemp(join(tmpdir(), 'cutlayer-old-bundle-'));
  await cp(bundleDir, old, { recursive: true });
  const manifest = JSON.parse(await readFile(join(old, 'manifest.json'), 'utf8'));
  delete manifest.graphs.decode;
  await writeFile(join(old, 'manifest.json'), JSON.stringify(manifest));
  return old;
}
