/**
 * Tensors to and from `cutlayer.v1.Tensor`. Before decoding allocates, it checks element type,
 * rank, every dim, the element count (without overflow) and the exact number of payload bytes.
 * Payloads are little-endian, as is every platform that onnxruntime runs on.
 */
import { CutlayerError } from '../../errors.js';
import { allFinite, largestMagnitude } from '../../tensor/finite.js';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from '../../tensor/half.js';
import { dequantizeRows, quantizeRows } from '../../tensor/int8.js';
import { type DimPattern, expectShape, showShape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Tensor__Output, Tensor as TensorMessage } from './generated/cutlayer/v1/Tensor.js';
import { type WireDType, wireDTypeOf, wireDTypes } from './wire-dtype.js';

/** What a received tensor must be. */
export interface ExpectedTensor {
  /** What to call it in errors. */
  readonly name: string;
  readonly shape: readonly DimPattern[];
  /** No tensor of more elements is decoded. Default 2^28. */
  readonly maxElements?: number;
}

const DEFAULT_MAX_ELEMENTS = 2 ** 28;

/** A typed array's bytes, not copied: protobufjs silently truncates other typed arrays. */
function bytesOf(array: ArrayBufferView): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

function narrow(values: Float32Array, convert: (source: Float32Array, target: Uint16Array) => void): Uint16Array {
  const bits = new Uint16Array(values.length);
  convert(values, bits);
  return bits;
}

function widen(payload: ArrayBuffer, convert: (source: Uint16Array, target: Float32Array) => void): Float32Array {
  const values = new Float32Array(payload.byteLength / 2);
  convert(new Uint16Array(payload), values);
  return values;
}

/**
 * A tensor as a message. The f32 payload is a view of the tensor's memory: do not change it before
 * the message was serialised.
 * @throws CutlayerError NON_FINITE when a value is not finite, or does not fit the element type
 */
export function encodeTensor(tensor: Tensor<'float32'>, dtype: WireDType, name = 'tensor'): TensorMessage {
  const { data } = tensor;
  if (!allFinite(data)) {
    throw new CutlayerError('NON_FINITE', `${name}: expected finite values to send, got NaN or infinity`);
  }
  const head = { dtype: wireDTypes[dtype].proto, shape: [...tensor.shape] };
  switch (dtype) {
    case 'f32':
      return { ...head, data: bytesOf(data) };
    case 'f16': {
      const largest = largestMagnitude(data);
      // 65520 is the smallest value that rounds to infinity.
      if (largest >= 65520) {
        throw new CutlayerError(
          'NON_FINITE',
          `${name}: expected values that fit f16 (at most 65504), got ${largest.toPrecision(4)}; use bf16 or f32 on the wire`,
        );
      }
      return { ...head, data: bytesOf(narrow(data, f32ToF16)) };
    }
    case 'bf16':
      return { ...head, data: bytesOf(narrow(data, f32ToBf16)) };
    case 'int8': {
      const { bytes, scales } = quantizeRows(data, tensor.shape.at(-1) ?? 1);
      return { ...head, data: bytesOf(bytes), scales: bytesOf(scales) };
    }
  }
}

/**
 * Elements of a shape that matches the pattern. @throws CutlayerError INVALID_SHAPE, LIMIT_EXCEEDED
 */
function checkShape(shape: readonly number[], { name, shape: wanted, maxElements = DEFAULT_MAX_ELEMENTS }: ExpectedTensor): number {
  expectShape(name, shape, wanted);
  let elements = 1;
  for (const dim of shape) {
    // No overflow: both factors are at most 2^53, the product so far at most maxElements.
    elements *= dim;
    if (elements > maxElements) {
      throw new CutlayerError('LIMIT_EXCEEDED', `${name}: expected at most ${maxElements} elements, got the shape ${showShape(shape)}`, {
        details: { field: name, limit: maxElements },
      });
    }
  }
  return elements;
}

/** @throws CutlayerError INVALID_SHAPE unless a payload has just the bytes of its shape */
function checkBytes(field: string, bytes: Buffer, wanted: number, shape: readonly number[], dtype: WireDType): void {
  if (bytes.length !== wanted) {
    throw new CutlayerError('INVALID_SHAPE', `${field}: expected ${wanted} bytes for ${showShape(shape)} ${dtype}, got ${bytes.length}`, {
      details: { field },
    });
  }
}

/** A copy of its own: a received payload is an unaligned view into a shared buffer. */
function own(bytes: Buffer): ArrayBuffer {
  // Not zeroed first, for it is filled at once; "slow" means: with an ArrayBuffer of its own.
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy.buffer as ArrayBuffer;
}

/**
 * The dtype and shape of a received tensor, all checked against its payload, before anything is
 * allocated for it.
 * @throws CutlayerError INVALID_ARGUMENT when there is no tensor, INVALID_DTYPE, INVALID_SHAPE,
 *   LIMIT_EXCEEDED
 */
export function checkTensor(
  message: Tensor__Output | null | undefined,
  expected: ExpectedTensor,
): { readonly message: Tensor__Output; readonly dtype: WireDType; readonly shape: readonly number[]; readonly elements: number } {
  const { name } = expected;
  if (message === null || message === undefined) {
    throw new CutlayerError('INVALID_ARGUMENT', `${name}: expected a tensor ${showShape(expected.shape)}, got none`, {
      details: { field: name },
    });
  }
  const dtype = wireDTypeOf(message.dtype, `${name}.dtype`);
  const { shape } = message;
  const elements = checkShape(shape, expected);
  checkBytes(`${name}.data`, message.data, elements * wireDTypes[dtype].bytes, shape, dtype);
  const rows = dtype === 'int8' ? elements / (shape.at(-1) ?? 1) : 0;
  checkBytes(`${name}.scales`, message.scales, rows * 4, shape, dtype);
  return { message, dtype, shape, elements };
}

/**
 * Decodes a received tensor to float32 memory of its own (transferable to a worker).
 * @throws CutlayerError INVALID_ARGUMENT, INVALID_DTYPE, INVALID_SHAPE, LIMIT_EXCEEDED, NON_FINITE
 */
export function decodeTensor(received: Tensor__Output | null | undefined, expected: ExpectedTensor): Tensor<'float32'> {
  const { message, dtype, shape } = checkTensor(received, expected);
  const data = decodeData(message, dtype, shape, expected.name);
  if (!allFinite(data)) {
    throw new CutlayerError('NON_FINITE', `${expected.name}: expected finite values, got NaN or infinity`, {
      details: { field: expected.name },
    });
  }
  return { dtype: 'float32', shape, data };
}

function decodeData(message: Tensor__Output, dtype: WireDType, shape: readonly number[], name: string): Float32Array {
  const payload = own(message.data);
  switch (dtype) {
    case 'f32':
      return new Float32Array(payload);
    case 'f16':
      return widen(payload, f16ToF32);
    case 'bf16':
      return widen(payload, bf16ToF32);
    case 'int8': {
      const scales = new Float32Array(own(message.scales));
      if (!scales.every((scale) => scale >= 0 && scale < Number.POSITIVE_INFINITY)) {
        throw new CutlayerError('NON_FINITE', `${name}.scales: expected finite scales of at least 0, got a negative, NaN or infinity`, {
          details: { field: `${name}.scales` },
        });
      }
      return dequantizeRows({ bytes: new Int8Array(payload), scales }, shape.at(-1) ?? 1);
    }
  }
}
