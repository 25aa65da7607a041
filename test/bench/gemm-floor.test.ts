import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkFloor, irregular } from '../../bench/floor-check.js';
import { writeGemmFloor } from '../../bench/gemm-floor.js';
import { openGraphs } from '../../src/runtime/graphs.js';
import { openSafetensors } from '../../src/safetensors/reader.js';
import { writeTensors } from '../../src/safetensors/tensors-file.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { seeded, uniform } from '../support/random.js';

const LAYERS = 12;
const dims = { hiddenSize: 32, numLayers: LAYERS, numHeads: 4, headDim: 8 };
const options = { dims, layout: 'inOut', vjp: true, attention: true } as const;
const weightsFile = 'weights.safetensors';

/** Weights of a deviation of 0.02, as the benchmark's checkpoints have them. */
async function weights(
  change: (name: string, data: Float32Array) => void = () => undefined,
): Promise<{ dir: string; weightsFile: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'cutlayer-floor-'));
  const random = seeded(1);
  const matrix = (name: string, shape: readonly number[]): [string, Tensor] => {
    const { data, ...rest } = uniform('float32', shape, random, -0.02 * Math.sqrt(3), 0.02 * Math.sqrt(3));
    change(name, data);
    return [name, { ...rest, data }];
  };
  const layers = Array.from({ length: LAYERS }, (_, layer) => [
    matrix(`${layer}.attention`, [32, 96]),
    matrix(`${layer}.output`, [32, 32]),
    matrix(`${layer}.up`, [32, 128]),
    matrix(`${layer}.down`, [128, 32]),
  ]);
  await writeTensors(join(dir, weightsFile), Object.fromEntries(layers.flat()));
  return { dir, weightsFile };
}

function operands(size = 1) {
  const random = seeded(2);
  const heads = (length: number) => uniform('float32', [2, 4, length, 8], random, -size, size);
  return { rows: uniform('float32', [20, 32], random), queries: heads(8), keys: heads(10), values: heads(10) };
}

describe('the floor of GEMMs', () => {
  it('keeps its numbers near 1 through all layers', async () => {
    const { count, smallest, greatest } = await checkFloor(await weights(), operands(), options);
    assert.ok(smallest > 0.01 && greatest < 10, `root mean squares from ${smallest} to ${greatest}`);
    // Per layer: the matrices; x W and its transposed product of all four, so 288 + 224 a row;
    // scores and their cotangent, 8 x 10, and four products of 8 or 10 rows.
    const perLayer = 32 * (96 + 32 + 128 + 128) + 20 * (288 + 224) + 8 * (2 * 80 + 8 * (8 + 8 + 10 + 10));
    assert.equal(count, LAYERS * perLayer + 20 * 32 + 8 * 8 * (8 + 10 + 10));
  });

  it('is refused with a denormal weight, operand or product', async () => {
    const planted = await weights((name, data) => {
      if (name === '7.up') data[5] = 1e-40;
    });
    await assert.rejects(checkFloor(planted, operands(), options), /the weight 7\.up holds 1 denormal or infinite numbers of 4096/);
    await assert.rejects(checkFloor(await weights(), operands(1e-39), options), /the operand queries holds/);
    await assert.rejects(checkFloor(await weights(), operands(1e-20), options), /product\.\d+ holds/);
  });

  it('computes every product where it is timed', async () => {
    const { dir } = await weights();
    const file = await openSafetensors(join(dir, weightsFile));
    const [timed, looked] = [false, true].map((results) => writeGemmFloor(dir, weightsFile, file, { ...options, results })) as [
      string,
      string,
    ];
    await file.close();
    const host = await openGraphs({ dir, weightsFile, graphs: [timed, looked] });
    try {
      const products = Object.values(await host.run(looked, operands()));
      assert.equal(products.length, LAYERS * (2 * 4 + 6));
      const { sink, attentionSink } = await host.run(timed, operands());
      const sum = products.reduce((total, { data }) => total + Number(data[0]), 0);
      const distinct = new Set(products.map(({ data }) => data[0]));
      assert.equal(distinct.size, products.length, 'equal products would be computed once');
      assert.ok(Math.abs(Number(sink!.data[0]) + Number(attentionSink!.data[0]) - sum) < 1e-3);
    } finally {
      await host.close();
    }
  });

  it('counts denormal and infinite numbers, and no others', () => {
    assert.equal(irregular(Float32Array.of(0, -0, 1.1754944e-38, -1.1754944e-38, 3.4e38, -1)), 0);
    assert.equal(irregular(Float32Array.of(1.17e-38, -1e-45, Infinity, -Infinity, NaN)), 5);
  });
});
