/** The feeds of a step's graphs. */
import assert from 'node:assert/strict';
import { type CheckedInputs, vjpFeeds } from '../../../src/gateway/engine/step-inputs.js';
import { f32 } from '../../../src/tensor/tensor.js';

describe("a vjp's feeds", () => {
  const packed = { lengths: [2, 1], sequence: 2 };
  const inputs = {
    hiddenStates: f32([3, 1], Float32Array.of(1, 2, 3)),
    packed,
    adapter: { kind: 'none' },
    positions: BigInt64Array.of(0n),
  };
  const rowsOf = (wantHiddenStates: boolean, names: readonly string[]) =>
    vjpFeeds(inputs as unknown as CheckedInputs, names, wantHiddenStates).cotangentRows; // as a parser would make them

  it("choose every token's row when the cotangents of hidden states are wanted, and none when not", () => {
    const names = ['hiddenStates', 'rowOfSlot', 'cotangentRows'];
    assert.deepEqual(rowsOf(true, names), { dtype: 'int64', shape: [3], data: BigInt64Array.of(0n, 1n, 2n) });
    assert.deepEqual(rowsOf(false, names), { dtype: 'int64', shape: [0], data: new BigInt64Array(0) });
  });

  it('choose nothing for a graph that was packed before there was a choice', () => {
    assert.equal(rowsOf(false, ['hiddenStates', 'rowOfSlot']), undefined);
  });
});
