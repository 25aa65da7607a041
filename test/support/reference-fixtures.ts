/**
 * The checkpoints of `test/fixtures` that have reference values: found by looking, so that none can
 * be forgotten.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/files/package-root.js';

/** A batch as `reference.json` holds it. */
export interface ReferenceBatch {
  readonly labels: readonly (readonly number[])[];
  readonly lengths: readonly number[];
}

/** What `reference.json` says that tests need. */
export interface ReferenceDocument {
  readonly batch: ReferenceBatch;
  /** A second batch, its names behind "short.", where rope changes with the length of the batch. */
  readonly short?: { readonly batch: ReferenceBatch };
  /**
   * The factor that transformers puts on embeddings handed in from outside; 1 where it is missing.
   */
  readonly promptScale?: number;
}

/** One row of the table. */
export interface ReferenceFixture {
  readonly name: string;
  readonly dir: string;
  /** The `model_type` of its config. */
  readonly modelType: string;
  readonly configText: string;
  readonly document: ReferenceDocument;
  /** In shards, 16 bits wide. */
  readonly sharded: boolean;
}

/** Describes a directory that holds a checkpoint and its references. */
export function referenceFixture(name: string, dir: string): ReferenceFixture {
  const configText = readFileSync(join(dir, 'config.json'), 'utf8');
  return {
    name,
    dir,
    modelType: (JSON.parse(configText) as { readonly model_type: string }).model_type,
    configText,
    document: JSON.parse(readFileSync(join(dir, 'reference.json'), 'utf8')) as ReferenceDocument,
    sharded: existsSync(join(dir, 'model.safetensors.index.json')),
  };
}

/** All fixtures with reference values, in the order of their names. */
export function referenceFixtures(): readonly ReferenceFixture[] {
  const root = join(packageRoot(), 'test', 'fixtures');
  return readdirSync(root)
    .filter((name) => existsSync(join(root, name, 'reference.json')))
    .sort()
    .map((name) => referenceFixture(name, join(root, name)));
}
