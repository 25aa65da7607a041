/**
 * Writes a WebAssembly module of one function over one memory, for loops that want vectors: V8 does
 * not vectorize JavaScript. Names are those of the text format.
 * @see https://webassembly.github.io/spec/core/binary/index.html
 */

/** Instructions in the binary format, one after the other. */
export type Code = readonly number[];

const types = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;
export type ValueType = keyof typeof types;

/** Elements of four floats in a row are added, multiplied and so on in one instruction. */
export const instructions = {
  localGet: (local: number): Code => [0x20, local],
  localSet: (local: number): Code => [0x21, local],
  i32Const: (value: number): Code => [0x41, ...signed(value)],
  i32Add: [0x6a],
  i32LessThan: [0x49],
  /** Runs `body`, and again while it leaves a number other than 0. */
  doWhile: (body: Code): Code => [0x03, 0x40, ...body, 0x0d, 0, 0x0b],
  /** At the address below it, which may be any, plus `offset`. */
  v128Load: (offset: number): Code => [...vector(0x00), 0, ...unsigned(offset)],
  v128Store: (offset: number): Code => [...vector(0x0b), 0, ...unsigned(offset)],
  f32x4Splat: vector(0x13),
  f32x4Sqrt: vector(0xe3),
  f32x4Add: vector(0xe4),
  f32x4Sub: vector(0xe5),
  f32x4Mul: vector(0xe6),
  f32x4Div: vector(0xe7),
} as const;

/** The only function of a module. */
export interface WasmFunction {
  readonly params: readonly ValueType[];
  /** Locals after the parameters, numbered on from them. */
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

/** Bytes of one page of memory. */
export const PAGE_BYTES = 65_536;

/** A module that exports `run`, a function without result, and `memory` of some pages. */
export function wasmModule({ params, locals, body }: WasmFunction, pages: number): Uint8Array<ArrayBuffer> {
  const type = [0x60, ...vec(params.map((name) => [types[name]])), 0];
  const code = [...vec(locals.map((name) => [1, types[name]])), ...body, 0x0b];
  const exported = [
    [...text('run'), 0x00, 0],
    [...text('memory'), 0x02, 0],
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vec([type])),
    ...section(3, vec([[0]])),
    ...section(5, vec([[0x00, ...unsigned(pages)]])),
    ...section(7, vec(exported)),
    ...section(10, vec([[...unsigned(code.length), ...code]])),
  ]);
}

const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];

const vec = (elements: readonly Code[]): Code => [...unsigned(elements.length), ...elements.flat()];

const text = (name: string): Code => vec([...Buffer.from(name)].map((byte) => [byte]));

function vector(opcode: number): Code {
  return [0xfd, ...unsigned(opcode)];
}

/** LEB128 of a number that is not negative. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...unsigned(Math.floor(value / 0x80))];
}

/** LEB128 of a signed number of 32 bits. */
function signed(value: number): Code {
  const low = value & 0x7f;
  const rest = value >> 7;
  const last = (rest === 0 && low < 0x40) || (rest === -1 && low >= 0x40);
  return last ? [low] : [low + 0x80, ...signed(rest)];
}
