/**
 * The graphs of `test/fixtures/onnx-*`, written by torch's exporters from committed checkpoints,
 * and how each is packed.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PackResult } from '../../src/compiler/pack/bundle-writer.js';
import { type OnnxPackRequest, packOnnx } from '../../src/compiler/pack/onnx-pack.js';
import { openGraphs } from '../../src/runtime/graphs.js';
import { fixtureDir } from './packed-model.js';

/** One graph. */
export interface OnnxFixture {
  readonly name: string;
  /** The checkpoint that it was exported from, whose reference values are its own. */
  readonly checkpoint: string;
  readonly finalNorm: 'bundle' | 'backbone';
}

/** All of them. */
export const onnxFixtures: readonly OnnxFixture[] = [
  { name: 'onnx-gpt2', checkpoint: 'gpt2-tiny', finalNorm: 'backbone' },
  { name: 'onnx-llama', checkpoint: 'llama-tiny', finalNorm: 'bundle' },
  { name: 'onnx-llama-torchscript', checkpoint: 'llama-tiny', finalNorm: 'backbone' },
];

/** Packs one into a new directory; the caller removes `root`. */
export async function packOnnxFixture(
  { name, checkpoint, finalNorm }: OnnxFixture,
  others: Partial<OnnxPackRequest> = {},
): Promise<PackResult & { readonly root: string }> {
  const root = await mkdtemp(join(tmpdir(), 'cutlayer-onnx-'));
  const packed = await packOnnx({
    onnxPath: join(fixtureDir(name), 'backbone.onnx'),
    bundleFromDir: fixtureDir(checkpoint),
    finalNorm,
    outDir: join(root, 'out'),
    openGraphs,
    ...others,
  });
  return { ...packed, root };
}
