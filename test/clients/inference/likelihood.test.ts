/** Evaluation needs likelihoods alone: they come from graphs without cotangents, and are the losses that training minimizes, to the last bit. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientBundle, type HeadParts } from '../../../clients/typescript/model/client-bundle.js';
import type { ClientBundleManifest } from '../../../src/artifacts/manifest.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { packedFixture } from '../../support/packed-fixture.js';

const N = 11;

/** Deterministic values in [-scale, scale]. */
function values(shape: readonly number[], scale: number, phase: number): Tensor<'float32'> {
  const length = shape.reduce((product, dim) => product * dim, 1);
  return f32(
    shape,
    Float32Array.from({ length }, (_, i) => scale * Math.sin(1 + phase + i * 1.7)),
  );
}

/** What may stand in for the head, by name. */
function headsOf({ dims, vocabSize, tiedHead }: ClientBundle): Readonly<Record<string, HeadParts>> {
  const headLora = { a: values([2, dims.hiddenSize], 0.2, 2), b: values([vocabSize, 2], 0.2, 3), scale: 1.5 };
  const tokenRows = { tokenIds: [1, 4, 6], rows: values([3, dims.hiddenSize], 0.3, 4) };
  return {
    plain: {},
    lora: { headLora },
    ...(tiedHead && { tokens: { tokenRows }, loraTokens: { headLora, tokenRows } }),
    classifier: { classifier: values([8, dims.hiddenSize], 0.2, 5) },
  };
}

for (const fixture of ['gpt2-tiny', 'llama-tiny', 'llama3-tiny', 'gemma2-tiny']) {
  it(`likelihoods of ${fixture}: evaluation gives training’s losses bit for bit, whatever of the head is trained`, async () => {
    const { bundleDir } = await packedFixture(fixture);
    const bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    try {
      const rows = values([N, bundle.dims.hiddenSize], 1, 0);
      const labels = BigInt64Array.from({ length: N }, (_, i) => BigInt(i % 7));
      for (const [name, head] of Object.entries(headsOf(bundle))) {
        const trained = await bundle.losses(rows, labels, { wantCotangent: true, head });
        const evaluated = await bundle.losses(rows, labels, { wantCotangent: false, head });
        assert.ok(
          trained.cotangent?.some((value) => value !== 0),
          name,
        );
        assert.deepEqual(evaluated, { nll: trained.nll, correct: trained.correct }, name);
      }
    } finally {
      await bundle.close();
    }
  });
}

it('likelihoods: evaluation never opens a graph of losses', async () => {
  const { bundleDir } = await packedFixture('llama-tiny');
  const dir = await mkdtemp(join(tmpdir(), 'cutlayer-likelihood-'));
  await cp(bundleDir, dir, { recursive: true });
  const manifest = JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8')) as ClientBundleManifest;
  // A file that is no graph: whatever opens it fails.
  for (const graph of Object.values(manifest.graphs.loss)) if (graph !== undefined) graph.file = manifest.weightsFile;
  await writeFile(join(dir, 'manifest.json'), JSON.stringify(manifest));
  const bundle = await ClientBundle.open(dir, { threads: 1 });
  try {
    const rows = values([2, bundle.dims.hiddenSize], 1, 0);
    const labels = BigInt64Array.of(1n, 2n);
    const { classifier: _, ...heads } = headsOf(bundle);
    for (const head of Object.values(heads)) {
      await bundle.losses(rows, labels, { wantCotangent: false, head });
      await assert.rejects(bundle.losses(rows, labels, { wantCotangent: true, head }), { code: 'INVALID_ARTIFACT' });
    }
  } finally {
    await bundle.close();
    await rm(dir, { recursive: true, force: true });
  }
});
