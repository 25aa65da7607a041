import assert from 'node:assert/strict';
import fc from 'fast-check';
import { vjpRules } from '../../../src/compiler/autodiff/rules.js';
import { type OpName, opSignatures } from '../../../src/compiler/onnx/op-signatures.js';
import { gradientCases } from '../../support/gradient-cases.js';
import { addScaled, type CheckedGradient, cellsOf, checkGradient } from '../../support/gradient-check.js';
import { seeded } from '../../support/random.js';

const SEED = 7;
const TOLERANCE = { float64: 1e-6, float32: 1e-2 } as const;

describe('VJP rules', () => {
  it('has a rule and test rows for exactly the ops of the op table', () => {
    const ops = Object.keys(opSignatures).sort();
    assert.deepEqual(Object.keys(vjpRules).sort(), ops);
    assert.deepEqual(Object.keys(gradientCases).sort(), ops);
  });

  for (const [op, cases] of Object.entries(gradientCases) as [OpName, (typeof gradientCases)[OpName]][]) {
    if (cases === 'nondifferentiable') {
      it(`${op} has no cell, as it has no gradient`, () => assert.deepEqual(cellsOf(op), []));
      continue;
    }
    describe(op, () => {
      const called = new Set<string>();
      for (const row of cases) {
        describe(row.title, () => {
          let checked: CheckedGradient;
          before(async () => {
            checked = await checkGradient(row);
            for (const cell of checked.cells) called.add(cell);
          });
          after(() => checked.release());

          it('equals central differences in a random direction', async () => {
            const errors = await checked.errors(SEED);
            assert.ok(
              errors.every((error) => error <= TOLERANCE[row.dtype ?? 'float64']),
              `relative errors ${errors.join(', ')}`,
            );
          });

          it('is linear in the cotangent', async () => {
            const scale = fc.double({ min: -2, max: 2, noNaN: true });
            await fc.assert(
              fc.asyncProperty(scale, fc.integer({ min: 1, max: 1000 }), async (factor, seed) => {
                const a = checked.randomCotangents(seeded(seed));
                const b = checked.randomCotangents(seeded(seed + 1));
                const ofA = await checked.gradients(a, SEED);
                const ofB = await checked.gradients(b, SEED);
                const ofSum = await checked.gradients(
                  a.map((ct, at) => addScaled(ct, factor, b[at]!)),
                  SEED,
                );
                const tolerance = row.dtype === 'float32' ? 1e-4 : 1e-10;
                for (const [k, sum] of ofSum.entries()) {
                  for (const [at, got] of sum.data.entries()) {
                    const want = Number(ofA[k]!.data[at]) + factor * Number(ofB[k]!.data[at]);
                    assert.ok(
                      Math.abs(Number(got) - want) <= tolerance * Math.max(1, Math.abs(want)),
                      `element ${at}: ${want} against ${got}`,
                    );
                  }
                }
              }),
              { numRuns: 3, seed: SEED },
            );
          });
        });
      }

      // A suite of its own, as mocha runs a suite's own tests before those of its inner suites.
      describe('all rows together', () => {
        it('call every cell', () => {
          assert.deepEqual(
            cellsOf(op).filter((cell) => !called.has(cell)),
            [],
          );
        });
      });
    });
  }
});
