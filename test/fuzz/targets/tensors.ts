/** Tensors on the wire. */
import assert from 'node:assert/strict';
import type { Tensor, Tensor__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/Tensor.js';
import { loadMessageType } from '../../../src/protocol/wire/proto.js';
import { decodeTensor, encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { wireDTypeNames } from '../../../src/protocol/wire/wire-dtype.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { deserialized } from '../service-methods.js';
import type { Target } from '../target.js';
import { wireMessage } from '../wire-messages.js';

const type = loadMessageType<Tensor, Tensor__Output>('cutlayer/v1/tensor.proto', 'cutlayer.v1.Tensor');
const expected = { name: 'x', shape: ['*', '*'] as const, maxElements: 1 << 16 };
const values = [1, -2.5, 3, 0, 0.125, 100];

export const target: Target = {
  examples: wireDTypeNames.flatMap((dtype) =>
    [
      [2, 3],
      [1, 6],
      [6, 1],
    ].map((shape) => type.serialize(encodeTensor(f32(shape, values), dtype))),
  ),
  made: wireMessage(1),
  run(input) {
    const tensor = decodeTensor(
      deserialized(() => type.deserialize(Buffer.from(input))),
      expected,
    );
    const again = decodeTensor(type.deserialize(type.serialize(encodeTensor(tensor, 'f32'))), expected);
    assert.deepEqual(again, tensor);
  },
};
