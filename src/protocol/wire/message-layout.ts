/**
 * Checks a request's bytes before protobufjs turns them into objects. Protobufjs accepts what a
 * server must not: it ignores wire types, silently cuts numbers to 32 bits and lets a repeated
 * singular field win. It also grows an array of any length: a 50 MB message may hold 50 million
 * dims. Each message has a layout that says which field is what and how many values it may have.
 * One pass, no allocation per value. @see https://protobuf.dev/programming-guides/encoding/
 */
import { CutlayerError } from '../../errors.js';

/** What a field holds. */
export type FieldLayout =
  | { readonly name: string; readonly kind: 'varint' }
  /** A number that must fit 32 bits, rather than be cut to them. */
  | { readonly name: string; readonly kind: 'uint32' }
  | { readonly name: string; readonly kind: 'bytes' | 'string'; readonly maxBytes: number }
  /** A repeated uint32, packed or not. */
  | { readonly name: string; readonly kind: 'uint32s'; readonly maxCount: number }
  | { readonly name: string; readonly kind: 'message'; readonly layout: MessageLayout }
  /** Repeated texts and messages, each as the field of one would be. */
  | { readonly name: string; readonly kind: 'strings'; readonly maxCount: number; readonly maxBytes: number }
  | { readonly name: string; readonly kind: 'messages'; readonly maxCount: number; readonly layout: MessageLayout };

/** The fields of a message by number. Unknown fields are skipped: a newer client may send more. */
export type MessageLayout = Readonly<Record<number, FieldLayout>>;

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
const MAX_UINT32 = 0xffffffff;

const malformed = (path: string, wanted: string): CutlayerError =>
  new CutlayerError('INVALID_ARGUMENT', `${path}: expected ${wanted}`, { details: { field: path } });

const tooMany = (path: string, maxCount: number): CutlayerError =>
  new CutlayerError('LIMIT_EXCEEDED', `${path}: expected at most ${maxCount} values, got more`, {
    details: { field: path, limit: maxCount },
  });

/** A place in the bytes, which moves forward. */
interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

/** Reads a varint of at most 64 bits; those beyond 2^53 lose low bits, which are not used. */
function readVarint(cursor: Cursor, end: number, path: string): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 10; i++) {
    if (cursor.at >= end) throw malformed(path, 'a whole message, got one that ends inside a number');
    const byte = cursor.bytes[cursor.at++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
  throw malformed(path, 'numbers of at most 10 bytes');
}

function readUint32(cursor: Cursor, end: number, path: string): void {
  if (readVarint(cursor, end, path) > MAX_UINT32) throw malformed(path, 'unsigned 32-bit numbers, got a larger one');
}

/**
 * Checks bytes against a layout.
 * @param name what to call the message in errors
 * @throws CutlayerError INVALID_ARGUMENT, LIMIT_EXCEEDED (a list or a text too long)
 */
export function checkLayout(bytes: Uint8Array, layout: MessageLayout, name: string): void {
  checkMessage({ bytes, at: 0 }, bytes.length, layout, name, '');
}

function checkMessage(cursor: Cursor, end: number, layout: MessageLayout, name: string, prefix: string): void {
  const counts: Record<number, number> = {};
  while (cursor.at < end) {
    const tag = readVarint(cursor, end, name);
    const number = Math.floor(tag / 8);
    if (number < 1 || number >= 2 ** 29) throw malformed(name, 'a protobuf message, got an impossible field number');
    const wireType = tag % 8;
    const field = layout[number];
    if (field === undefined) skip(cursor, end, wireType, name);
    else counts[number] = checkField(cursor, end, wireType, field, counts[number] ?? 0, `${prefix}${field.name}`);
  }
}

/** Checks one occurrence of a field. @returns how many values of it there have been */
function checkField(cursor: Cursor, end: number, wireType: number, field: FieldLayout, seen: number, path: string): number {
  if (field.kind === 'uint32s') return checkList(cursor, end, wireType, field.maxCount, seen, path);
  const most = 'maxCount' in field ? field.maxCount : 1;
  if (seen >= most) throw most === 1 ? malformed(path, 'the field at most once') : tooMany(path, most);
  const isNumber = field.kind === 'varint' || field.kind === 'uint32';
  if (wireType !== (isNumber ? VARINT : LENGTH_DELIMITED)) throw malformed(path, `a ${field.kind} field, got wire type ${wireType}`);
  if (field.kind === 'uint32') readUint32(cursor, end, path);
  else if (field.kind === 'varint') readVarint(cursor, end, path);
  else {
    const stop = readLength(cursor, end, path);
    if ('layout' in field) checkMessage(cursor, stop, field.layout, path, `${path}.`);
    else if (stop - cursor.at > field.maxBytes) {
      throw new CutlayerError('LIMIT_EXCEEDED', `${path}: expected at most ${field.maxBytes} bytes, got ${stop - cursor.at}`, {
        details: { field: path, limit: field.maxBytes },
      });
    }
    cursor.at = stop;
  }
  return seen + 1;
}

function checkList(cursor: Cursor, end: number, wireType: number, maxCount: number, seen: number, path: string): number {
  let count = seen;
  if (wireType !== VARINT && wireType !== LENGTH_DELIMITED) throw malformed(path, `a list of uint32, got wire type ${wireType}`);
  const stop = wireType === VARINT ? cursor.at + 1 : readLength(cursor, end, path);
  while (cursor.at < stop) {
    count++;
    if (count > maxCount) throw tooMany(path, maxCount);
    readUint32(cursor, wireType === VARINT ? end : stop, path);
  }
  return count;
}

/** @returns where a length-delimited value ends */
function readLength(cursor: Cursor, end: number, path: string): number {
  const length = readVarint(cursor, end, path);
  if (length > end - cursor.at) throw malformed(path, `a value of ${length} bytes, got a message that ends before it`);
  return cursor.at + length;
}

function skip(cursor: Cursor, end: number, wireType: number, name: string): void {
  if (wireType === VARINT) readVarint(cursor, end, name);
  else if (wireType === LENGTH_DELIMITED) cursor.at = readLength(cursor, end, name);
  else if (wireType === FIXED64 || wireType === FIXED32) {
    cursor.at += wireType === FIXED64 ? 8 : 4;
    if (cursor.at > end) throw malformed(name, 'a whole message, got one that ends inside a field');
  } else throw malformed(name, `a protobuf message, got wire type ${wireType}`);
}
