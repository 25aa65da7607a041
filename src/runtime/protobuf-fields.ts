/**
 * Reads a protocol buffer field by field, without its type.
 * @see https://protobuf.dev/programming-guides/encoding/
 */
import { CutlayerError } from '../errors.js';

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** A field's bytes as text. */
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');

/** A field of a message. */
export interface Field {
  readonly field: number;
  /** Empty but for fields of bytes. */
  readonly bytes: Uint8Array;
  /** Of a varint; 0 for others. Above 2^53 it is not exact. */
  readonly value: number;
  /** The field as it is written: number, type and bytes. */
  readonly whole: Uint8Array;
}

/** The fields of a message. @throws CutlayerError INVALID_ARTIFACT */
export function* fieldsOf(message: Uint8Array, label: string): Generator<Field> {
  let at = 0;
  const broken = (): CutlayerError =>
    new CutlayerError('INVALID_ARTIFACT', `${label}: the graph or its weights cannot be opened; pack the checkpoint again`, {
      cause: new Error(`${label}: protobuf: a field is not whole at byte ${at} of ${message.length}`),
    });
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) throw broken();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw broken();
  };
  while (at < message.length) {
    const start = at;
    const key = varint();
    const [field, wire] = [Math.floor(key / 8), key % 8];
    let bytes: Uint8Array = message.subarray(0, 0);
    let value = 0;
    if (wire === WIRE.varint) value = varint();
    else if (wire === WIRE.fixed64) at += 8;
    else if (wire === WIRE.fixed32) at += 4;
    else if (wire === WIRE.bytes) {
      const length = varint();
      if (length > message.length - at) throw broken();
      bytes = message.subarray(at, at + length);
      at += length;
    } else throw broken();
    if (at > message.length) throw broken();
    yield { field, bytes, value, whole: message.subarray(start, at) };
  }
}
