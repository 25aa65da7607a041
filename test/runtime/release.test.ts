import assert from 'node:assert/strict';
import { buffersOf, releaseTensors, tensorBytes } from '../../src/runtime/release.js';
import { f32, tensor } from '../../src/tensor/tensor.js';

describe('runtime/release', () => {
  it('frees arrays at once, without a garbage collection', () => {
    const megabyte = 2 ** 20;
    const tensors = Array.from({ length: 4 }, () => f32([4 * megabyte], new Float32Array(4 * megabyte)));
    const before = process.memoryUsage().arrayBuffers;
    releaseTensors(tensors);
    const freed = before - process.memoryUsage().arrayBuffers;
    assert.ok(freed > 63 * megabyte, `freed ${freed} of ${64 * megabyte} bytes`);
    assert.deepEqual(
      tensors.map(({ data }) => data.length),
      [0, 0, 0, 0],
    );
  });

  it('takes tensors that share a buffer, have none, or were released before', () => {
    const shared = new ArrayBuffer(32);
    const [left, right] = [f32([4], new Float32Array(shared, 0, 4)), f32([4], new Float32Array(shared, 16, 4))];
    const empty = tensor('int64', [0], new BigInt64Array(0));
    assert.equal(tensorBytes([left, right, empty]), 32);
    assert.deepEqual(buffersOf([left, right, empty]), [shared]);
    releaseTensors([left, right, empty]);
    releaseTensors([left, right, empty]);
    assert.equal(shared.byteLength, 0);
  });
});
