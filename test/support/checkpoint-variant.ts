/** Copies of a fixture with something changed, in a directory of their own. */
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeTensors, writeTensors } from '../../src/safetensors/tensors-file.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { fixtureDir } from './packed-model.js';

/** What is changed. */
export interface Variant {
  /** Keys set in config.json; undefined removes one. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly tensors?: (tensors: Record<string, Tensor>) => void;
  /** Files written last, over whatever is there; null removes one. */
  readonly files?: Readonly<Record<string, string | Uint8Array | null>>;
}

/** The parsed config.json of a fixture. */
export function fixtureConfig(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(fixtureDir(name), 'config.json'), 'utf8')) as Record<string, unknown>;
}

/** Runs with a changed copy of a fixture's config and weights (float32, one file). */
export async function withVariant<T>(name: string, variant: Variant, use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-variant-'));
  try {
    const tensors = Object.fromEntries(decodeTensors(await readFile(join(fixtureDir(name), 'model.safetensors')), name).tensors);
    variant.tensors?.(tensors);
    await writeTensors(join(dir, 'model.safetensors'), tensors);
    await writeFile(join(dir, 'config.json'), JSON.stringify({ ...fixtureConfig(name), ...variant.config }));
    for (const [path, content] of Object.entries(variant.files ?? {})) {
      if (content === null) await rm(join(dir, path));
      else await writeFile(join(dir, path), content);
    }
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
