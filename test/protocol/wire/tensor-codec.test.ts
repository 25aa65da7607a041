import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import type { ForwardRequest, ForwardRequest__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import type { Tensor__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/Tensor.js';
import { loadSplitService } from '../../../src/protocol/wire/split-service.js';
import { decodeTensor, encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { type WireDType, wireBytes, wireDTypeNames } from '../../../src/protocol/wire/wire-dtype.js';
import { f32 } from '../../../src/tensor/tensor.js';

const forward = loadSplitService().service.Forward;

/** Through protobuf and back. A step id of `padding` characters moves the payload to any alignment. */
function throughTheWire(request: ForwardRequest, padding = 1): ForwardRequest__Output {
  return forward.requestDeserialize(forward.requestSerialize({ ...request, stepId: 'x'.repeat(padding) }));
}

function received(shape: readonly number[], data: readonly number[], dtype: WireDType = 'f32'): Tensor__Output {
  return throughTheWire({ hiddenStates: encodeTensor(f32(shape, data), dtype) }).hiddenStates!;
}

function assertRefused(code: ErrorCode, message: RegExp, run: () => unknown): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof CutlayerError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

/** Largest error that an element type may make on a value x in a row whose largest magnitude is `largest`. */
const tolerance: Readonly<Record<WireDType, (x: number, largest: number) => number>> = {
  f32: () => 0,
  f16: (x) => Math.max(Math.abs(x) * 2 ** -11, 2 ** -25),
  bf16: (x) => Math.abs(x) * 2 ** -8 + 1e-38,
  int8: (_, largest) => (largest / 127) * 0.5000001 + 1e-36,
};

describe('wire tensor codec', () => {
  for (const dtype of wireDTypeNames) {
    it(`${dtype}: returns every value within the type's rounding, whatever the alignment of the payload`, () => {
      const value = fc.float({ min: -60000, max: 60000, noNaN: true });
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 5 }),
          fc.integer({ min: 1, max: 9 }),
          fc.integer({ min: 1, max: 8 }),
          fc.infiniteStream(value),
          (rows, columns, padding, values) => {
            const data = Float32Array.from({ length: rows * columns }, () => values.next().value);
            const sent = f32([rows, columns], data);
            const message = throughTheWire({ hiddenStates: encodeTensor(sent, dtype) }, padding).hiddenStates;
            const got = decodeTensor(message, { name: 'x', shape: ['*', columns] });
            assert.deepEqual(got.shape, [rows, columns]);
            for (let row = 0; row < rows; row++) {
              const from = row * columns;
              const largest = data.subarray(from, from + columns).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
              for (let i = from; i < from + columns; i++) {
                assert.ok(Math.abs(got.data[i]! - data[i]!) <= tolerance[dtype](data[i]!, largest), `${data[i]} became ${got.data[i]}`);
              }
            }
          },
        ),
        { seed: 20, numRuns: 60 },
      );
    });

    it(`${dtype}: the payload has the bytes that wireBytes foretells`, () => {
      const message = received([3, 4, 5], Array(60).fill(0.5), dtype);
      assert.equal(message.data.length + message.scales.length, wireBytes([3, 4, 5], dtype));
    });

    it(`${dtype}: the decoded tensor owns its memory alone, so that it may be handed to a worker`, () => {
      const got = decodeTensor(received([2, 8], Array(16).fill(1), dtype), { name: 'x', shape: [2, 8] });
      assert.equal(got.data.buffer.byteLength, 64);
    });

    it(`${dtype}: refuses to send what is not finite`, () => {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        assertRefused('NON_FINITE', /x: expected finite/, () => encodeTensor(f32([2], [1, bad]), dtype, 'x'));
      }
    });
  }

  it('int8: a row is not touched by the magnitude of another', () => {
    const small = [0.01, -0.02, 0.03, 0.015];
    const alone = decodeTensor(received([1, 4], small, 'int8'), { name: 'x', shape: [1, 4] });
    const together = decodeTensor(received([2, 4], [...small, 1e6, -1e6, 5, 0], 'int8'), { name: 'x', shape: [2, 4] });
    assert.deepEqual(together.data.slice(0, 4), alone.data);
  });

  it('int8: a row of zeros and a row of the tiniest values stay finite', () => {
    const got = decodeTensor(received([2, 2], [0, 0, 1e-45, -1e-45], 'int8'), { name: 'x', shape: [2, 2] });
    assert.deepEqual([...got.data].map(Math.abs), [0, 0, 0, 0]);
  });

  it('f16: refuses to turn a large value into infinity and says what to use instead', () => {
    assertRefused('NON_FINITE', /x: expected values that fit f16 .* got 7\.000e\+4; use bf16 or f32/, () =>
      encodeTensor(f32([1], [70000]), 'f16', 'x'),
    );
    assert.equal(decodeTensor(received([1], [65519], 'f16'), { name: 'x', shape: [1] }).data[0], 65504);
  });

  it('names the field, the wanted shape and the received one', () => {
    assertRefused('INVALID_SHAPE', /^hiddenStates: expected \[\*, \*, 768\], got \[1, 2, 3\]$/, () =>
      decodeTensor(received([1, 2, 3], [1, 2, 3, 4, 5, 6]), { name: 'hiddenStates', shape: ['*', '*', 768] }),
    );
  });

  const good = (): Tensor__Output => received([2, 2], [1, 2, 3, 4]);
  const bad: readonly [string, Partial<Tensor__Output>, ErrorCode, RegExp][] = [
    ['no element type', { dtype: 'DTYPE_UNSPECIFIED' }, 'INVALID_DTYPE', /x\.dtype: expected one of DTYPE_F32.*got DTYPE_UNSPECIFIED/],
    ['an unknown element type', { dtype: 99 as never }, 'INVALID_DTYPE', /got 99/],
    ['a rank too low', { shape: [4] }, 'INVALID_SHAPE', /got \[4\]/],
    ['a rank too high', { shape: [1, 2, 2] }, 'INVALID_SHAPE', /got \[1, 2, 2\]/],
    ['no shape', { shape: [] }, 'INVALID_SHAPE', /got \[\]/],
    ['a thousand dims', { shape: Array(1000).fill(1) }, 'INVALID_SHAPE', /… 1000 dims/],
    ['a zero dim', { shape: [0, 2] }, 'INVALID_SHAPE', /got \[0, 2\]/],
    ['a payload too short', { data: Buffer.alloc(15) }, 'INVALID_SHAPE', /x\.data: expected 16 bytes for \[2, 2\] f32, got 15/],
    ['a payload too long', { data: Buffer.alloc(17) }, 'INVALID_SHAPE', /got 17/],
    ['no payload', { data: Buffer.alloc(0) }, 'INVALID_SHAPE', /got 0/],
    ['scales beside f32', { scales: Buffer.alloc(8) }, 'INVALID_SHAPE', /x\.scales: expected 0 bytes/],
    ['dims whose product overflows 2^53', { shape: [4294967295, 4294967295] }, 'LIMIT_EXCEEDED', /at most 268435456 elements/],
    ['dims whose product is 2^64 and would wrap to zero', { shape: [4294967296 / 2, 4294967296 / 2] }, 'LIMIT_EXCEEDED', /elements/],
    [
      'int8 with a scale missing',
      { dtype: 'DTYPE_INT8', data: Buffer.alloc(4), scales: Buffer.alloc(4) },
      'INVALID_SHAPE',
      /x\.scales: expected 8 bytes/,
    ],
    [
      'int8 with a NaN scale',
      { dtype: 'DTYPE_INT8', data: Buffer.alloc(4), scales: Buffer.from(Float32Array.of(1, Number.NaN).buffer) },
      'NON_FINITE',
      /x\.scales/,
    ],
    [
      'int8 with a negative scale',
      { dtype: 'DTYPE_INT8', data: Buffer.alloc(4), scales: Buffer.from(Float32Array.of(1, -1).buffer) },
      'NON_FINITE',
      /x\.scales/,
    ],
    ['f32 NaN', { data: Buffer.from(Float32Array.of(1, 2, Number.NaN, 4).buffer) }, 'NON_FINITE', /x: expected finite/],
    ['f32 infinity', { data: Buffer.from(Float32Array.of(1, 2, 3, Number.NEGATIVE_INFINITY).buffer) }, 'NON_FINITE', /x: expected finite/],
    ['f16 infinity', { dtype: 'DTYPE_F16', data: Buffer.from(Uint16Array.of(0x7c00, 0, 0, 0).buffer) }, 'NON_FINITE', /x: expected finite/],
    ['bf16 NaN', { dtype: 'DTYPE_BF16', data: Buffer.from(Uint16Array.of(0x7fc0, 0, 0, 0).buffer) }, 'NON_FINITE', /x: expected finite/],
  ];
  for (const [what, change, code, message] of bad) {
    it(`refuses ${what}`, () => {
      assertRefused(code, message, () => decodeTensor({ ...good(), ...change }, { name: 'x', shape: ['*', '*'] }));
    });
  }

  it('refuses a tensor that is not there', () => {
    assertRefused('INVALID_ARGUMENT', /x: expected a tensor \[\*, 3\], got none/, () => decodeTensor(null, { name: 'x', shape: ['*', 3] }));
  });

  it('checks the size before it allocates', () => {
    const huge = { ...good(), shape: [16384, 16384] };
    const before = process.memoryUsage().arrayBuffers;
    assertRefused('INVALID_SHAPE', /expected 1073741824 bytes/, () => decodeTensor(huge, { name: 'x', shape: ['*', '*'] }));
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 28);
  });
});
