/** The checkpoints of `test/fixtures`, packed once per cut for all tests of a process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from '../../src/compiler/pack/pack.js';
import { packageRoot } from '../../src/files/package-root.js';

/** Where the two artifacts lie. */
export interface PackedFixture {
  readonly backboneDir: string;
  readonly bundleDir: string;
}

const packed = new Map<string, Promise<PackedFixture>>();
let root: string | undefined;

/** Packs a fixture, or gives what was packed before. */
export function packedFixture(name: string, { bottom = 0, top = 0 } = {}): Promise<PackedFixture> {
  const key = `${name}-${bottom}-${top}`;
  const known = packed.get(key) ?? packFixture(name, join(packRoot(), key), bottom, top);
  packed.set(key, known);
  return known;
}

async function packFixture(name: string, outDir: string, bottom: number, top: number): Promise<PackedFixture> {
  await pack({ checkpointDir: join(packageRoot(), 'test/fixtures', name), outDir, bottom, top });
  return { backboneDir: join(outDir, 'backbone'), bundleDir: join(outDir, 'client-bundle') };
}

function packRoot(): string {
  if (root === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'cutlayer-packed-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    root = made;
  }
  return root;
}
