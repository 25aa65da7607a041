/**
 * The graphs of `test/fixtures/onnx-*`, written by torch's exporters from committed checkpoints,
 * and how each is packed.
 */
import { join } from 'node:path';
import type { PackResult } from '../../src/compiler/pack/bundle-writer.js';
import { type OnnxPackRequest, packOnnx } from '../../src/compiler/pack/onnx-pack.js';
import { openGraphs } from '../../src/runtime/graphs.js';
import { type PackedFixture, packedOnce } from './packed-fixture.js';
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

/** Packs one into a directory of the caller's. */
export function packOnnxFixture(
  { name, checkpoint, finalNorm }: OnnxFixture,
  request: Pick<OnnxPackRequest, 'outDir'> & Partial<OnnxPackRequest>,
): Promise<PackResult> {
  const onnxPath = join(fixtureDir(name), 'backbone.onnx');
  return packOnnx({ onnxPath, bundleFromDir: fixtureDir(checkpoint), finalNorm, openGraphs, measure: false, ...request });
}

/** One, packed once for all tests of a run. Tests only read it. */
export function packedOnnxFixture(fixture: OnnxFixture): Promise<PackedFixture> {
  return packedOnce(`packed-${fixture.name}`, (outDir) => packOnnxFixture(fixture, { outDir }));
}
