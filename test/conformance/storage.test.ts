/** How weights are stored must not matter: shards or one file, 16 or 32 bits, the same values pack to the same bytes. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from '../../src/compiler/pack/pack.js';
import { withVariant } from '../support/checkpoint-variant.js';
import { every } from '../support/exhaustive.js';
import { referenceFixtures } from '../support/reference-fixtures.js';

/** Weights and graphs below a directory, by path. */
async function contents(root: string): Promise<Map<string, Buffer>> {
  const files = (await readdir(root, { recursive: true })).filter((file) => /\.(safetensors|onnx)$/.test(file)).sort();
  return new Map(await Promise.all(files.map(async (file) => [file, await readFile(join(root, file))] as const)));
}

describe('conformance: storage', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cutlayer-storage-'));
  });
  after(() => rm(root, { recursive: true, force: true }));

  const sharded = referenceFixtures().filter((fixture) => fixture.sharded);
  for (const { name, dir } of every(6, sharded)) {
    it(`${name}: two bfloat16 shards pack to the bytes of the single float32 file`, async () => {
      const request = { bottom: 0, top: 0, name };
      const outDir = join(root, name);
      await pack({ ...request, checkpointDir: dir, outDir: join(outDir, 'sharded') });
      await withVariant(name, { config: { torch_dtype: 'float32', dtype: undefined } }, (checkpointDir) =>
        pack({ ...request, checkpointDir, outDir: join(outDir, 'single') }),
      );
      const [sharded, single] = [await contents(join(outDir, 'sharded')), await contents(join(outDir, 'single'))];
      assert.deepEqual([...sharded.keys()], [...single.keys()]);
      assert.ok(sharded.has(join('backbone', 'weights.safetensors')) && sharded.size > 5);
      for (const [file, bytes] of sharded) assert.ok(bytes.equals(single.get(file)!), `${file} differs`);
    });
  }
});
