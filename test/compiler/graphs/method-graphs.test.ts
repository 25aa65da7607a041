/** LoRA's merge: the weight plus scale times B A in either layout, and the cotangents of A and B. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compileLoraMerge } from '../../../src/compiler/graphs/method-graphs.js';
import { describeModel } from '../../../src/compiler/models/registry.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { fixtureDir, maxRelativeError } from '../../support/packed-model.js';
import { seeded, uniform } from '../../support/random.js';
import { run } from '../../support/session.js';

const [RANK, INPUTS, OUTPUTS, SCALE] = [3, 5, 7, 0.75];

for (const [fixture, layout] of [
  ['llama-tiny', 'outIn'],
  ['gpt2-tiny', 'inOut'],
] as const) {
  it(`loraMerge: adds scale B A to a weight of layout ${layout} and pulls its cotangent back to A and B`, async () => {
    const model = describeModel(await readFile(join(fixtureDir(fixture), 'config.json'), 'utf8'));
    const { forward, vjp } = compileLoraMerge(model);
    const random = seeded(7);
    const draw = (...shape: number[]): Tensor<'float32'> => uniform('float32', shape, random);
    const shape = layout === 'outIn' ? [OUTPUTS, INPUTS] : [INPUTS, OUTPUTS];
    const weight = draw(...shape);
    const mergedCotangent = draw(...shape);
    const [loraA, loraB] = [draw(RANK, INPUTS), draw(OUTPUTS, RANK)];
    const at = (o: number, i: number): number => (layout === 'outIn' ? o * INPUTS + i : i * OUTPUTS + o);
    const merged = Float64Array.from(weight.data);
    const a = new Float64Array(RANK * INPUTS); // Ā = scale Bᵀ M̄
    const b = new Float64Array(OUTPUTS * RANK); // B̄ = scale M̄ Aᵀ
    for (let o = 0; o < OUTPUTS; o++) {
      for (let i = 0; i < INPUTS; i++) {
        for (let r = 0; r < RANK; r++) {
          const [A, B, ct] = [loraA.data[r * INPUTS + i]!, loraB.data[o * RANK + r]!, mergedCotangent.data[at(o, i)]!];
          merged[at(o, i)]! += SCALE * B * A;
          a[r * INPUTS + i]! += SCALE * B * ct;
          b[o * RANK + r]! += SCALE * ct * A;
        }
      }
    }
    const feeds = { weight, loraA, loraB, loraScale: f32([], [SCALE]), mergedCotangent };
    assert.ok(maxRelativeError((await run(forward, feeds)).merged!, f32(shape, [...merged])) < 1e-6);
    const back = await run(vjp, feeds);
    assert.ok(maxRelativeError(back.loraACotangent!, f32([RANK, INPUTS], [...a])) < 1e-6);
    assert.ok(maxRelativeError(back.loraBCotangent!, f32([OUTPUTS, RANK], [...b])) < 1e-6);
  });
}
