/** Safetensors files: length, header, and tensors in memory. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeTensors, encodeTensors } from '../../../src/safetensors/tensors-file.js';
import { f32, type Tensor, tensor } from '../../../src/tensor/tensor.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';

const file = encodeTensors({ w: f32([2, 3], [1, 2, 3, 4, 5, 6]), ids: tensor('int64', [2], BigInt64Array.of(1n, 2n)) }, { step: '3' });

/** A header's text behind its length, with data behind it. */
const withHeader = (text: Uint8Array, data: number): Uint8Array => {
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([head, text, Buffer.alloc(data, 1)]);
};
const headers = [
  { __metadata__: { format: 'pt' }, w: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] } },
  { a: { dtype: 'BF16', shape: [4], data_offsets: [0, 8] }, b: { dtype: 'I64', shape: [], data_offsets: [8, 16] } },
  { empty: { dtype: 'F64', shape: [0, 3], data_offsets: [0, 0] }, c: { dtype: 'F16', shape: [8], data_offsets: [0, 16] } },
];

/** Names and bits, as NaN differs from NaN. */
const bits = (tensors: ReadonlyMap<string, Tensor>) =>
  [...tensors]
    .map(([name, { dtype, shape, data }]) => [
      name,
      dtype,
      shape,
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
    ])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));

export const target: Target = {
  examples: [file, ...headers.map((header) => withHeader(Buffer.from(JSON.stringify(header)), 16))],
  made: fc.tuple(editedJson(headers), fc.constantFrom(0, 8, 16, 17)).map(([text, data]) => withHeader(text, data)),
  words: ['"dtype":"F8_E4M3"', '"shape":[', '"data_offsets":[', '"__metadata__":{', '\\ud800', '9007199254740991'],
  run(input) {
    const { tensors, metadata } = decodeTensors(input, 'file');
    const again = decodeTensors(encodeTensors(Object.fromEntries(tensors), Object.fromEntries(metadata)), 'again');
    assert.deepEqual(bits(again.tensors), bits(tensors));
    assert.deepEqual(Object.fromEntries(again.metadata), { format: 'pt', ...Object.fromEntries(metadata) });
  },
};
