/** Copies of a fixture with something changed, in a directory of their own. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpoint } from '../../src/safetensors/checkpoint.js';
import { decodeTensors, writeTensors } from '../../src/safetensors/tensors-file.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';
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

/** The weights of a fixture: of its one file as they are, of shards upcast to float32. */
async function readWeights(name: string): Promise<Record<string, Tensor>> {
  const single = join(fixtureDir(name), 'model.safetensors');
  if (existsSync(single)) return Object.fromEntries(decodeTensors(await readFile(single), name).tensors);
  const checkpoint = await openCheckpoint(fixtureDir(name));
  try {
    const tensors: Record<string, Tensor> = {};
    for (const [tensor, { shape }] of checkpoint.tensors) {
      const values: number[] = [];
      for await (const chunk of checkpoint.chunks(tensor)) values.push(...chunk);
      tensors[tensor] = f32(shape, values);
    }
    return tensors;
  } finally {
    await checkpoint.close();
  }
}

/** Runs with a changed copy of a fixture's config and weights (float32, one file). */
export async function withVariant<T>(name: string, variant: Variant, use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-variant-'));
  try {
    const tensors = await readWeights(name);
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
