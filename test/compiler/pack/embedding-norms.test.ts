/** The lengths of the embedding's rows in the backbone's manifest. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backboneManifestSchema, type EmbeddingNorms } from '../../../src/artifacts/manifest.js';
import { loadBackbone } from '../../../src/artifacts/store.js';
import { embeddingNorms } from '../../../src/compiler/pack/embedding-norms.js';
import { pack } from '../../../src/compiler/pack/pack.js';
import { openCheckpoint } from '../../../src/safetensors/checkpoint.js';
import { fixtureDir } from '../../support/packed-model.js';

/** A table in pieces that end within rows. */
const tableOf = (rows: readonly (readonly number[])[]) => {
  const values = rows.flat();
  return {
    ...({ name: 'table', dtype: 'F32', shape: [rows.length, rows[0]!.length] } as const),
    async *chunks() {
      for (let at = 0; at < values.length; at += 3) yield Float32Array.from(values.slice(at, at + 3));
    },
  };
};

describe("the lengths of an embedding's rows", () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cutlayer-norms-'));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it('are those of whole rows, with the scale, in order', async () => {
    const rows = [
      [3, 4],
      [0, 0],
      [-6, 8],
      [5, 12],
      [0, -1],
    ];
    const norms = { rows: 5, least: 0, p1: 0, p50: 5, p99: 10, greatest: 13 };
    assert.deepEqual(await embeddingNorms(tableOf(rows), 1), norms);
    assert.deepEqual(await embeddingNorms(tableOf(rows), 2), { rows: 5, least: 0, p1: 0, p50: 10, p99: 20, greatest: 26 });
    assert.deepEqual(await embeddingNorms(tableOf([[1, 2, 2]]), 1), { rows: 1, least: 3, p1: 3, p50: 3, p99: 3, greatest: 3 });
  });

  /** Of a fixture's table, by a plain loop. */
  async function computed(fixture: string, name: string, scale: number): Promise<readonly number[]> {
    const file = await openCheckpoint(fixtureDir(fixture));
    const values: number[] = [];
    for await (const chunk of file.chunks(name)) values.push(...chunk);
    await file.close();
    const width = file.tensors.get(name)!.shape[1]!;
    const norms = Array.from({ length: values.length / width }, (_, row) => Math.hypot(...values.slice(row * width, (row + 1) * width)));
    return norms.map((norm) => norm * scale).sort((a, b) => a - b);
  }

  for (const [fixture, name, scale] of [
    ['llama-tiny', 'model.embed_tokens.weight', 1],
    ['gemma-tiny', 'model.embed_tokens.weight', Math.sqrt(32)],
    ['gpt2-tiny', 'transformer.wte.weight', 1],
  ] as const)
    it(`are in the backbone of ${fixture} at k = 0`, async () => {
      const { backboneDir, embeddingNorms: told } = await pack({
        ...{ checkpointDir: fixtureDir(fixture), bottom: 0, top: 0, outDir: join(root, fixture) },
      });
      const { embeddingNorms: found } = (await loadBackbone(backboneDir)).manifest;
      assert.deepEqual(found, told);
      const norms = await computed(fixture, name, scale);
      assert.equal(found!.rows, norms.length);
      const near = (got: number, at: number) => assert.ok(Math.abs(got / norms[at]! - 1) < 1e-5, `${got} is not ${norms[at]}`);
      near(found!.least, 0);
      near(found!.p1, Math.floor(0.01 * (norms.length - 1)));
      near(found!.p50, Math.floor(0.5 * (norms.length - 1)));
      near(found!.p99, Math.floor(0.99 * (norms.length - 1)));
      near(found!.greatest, norms.length - 1);
    });

  it('are in no backbone below which the client holds blocks', async () => {
    const outDir = join(root, 'held');
    const { backboneDir, embeddingNorms: told } = await pack({ checkpointDir: fixtureDir('llama-tiny'), bottom: 1, top: 0, outDir });
    const { manifest } = await loadBackbone(backboneDir);
    assert.deepEqual([told, 'embeddingNorms' in manifest], [undefined, false]);
    const norms: EmbeddingNorms = { rows: 5, least: 1, p1: 1, p50: 5, p99: 10, greatest: 13 };
    const says = (changed: object) => backboneManifestSchema.safeParse({ ...manifest, ...changed }).error?.issues[0]?.message;
    assert.match(says({ embeddingNorms: norms })!, /expected none where the client holds blocks below the cut/);
    assert.match(says({ embeddingNorms: { ...norms, p1: 6 } })!, /expected lengths that rise/);
  });
});
