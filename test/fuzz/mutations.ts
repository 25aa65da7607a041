/**
 * Mutations of bytes: what is done to a valid input, or to one that reached new code. All draw from
 * the given random numbers.
 */

/**
 * Longest mutated input, and how often one may be so long: a long input costs as much as many short
 * ones.
 */
const MAX_BYTES = 1 << 16;
const LONG = 1 / 64;
/** Others have at most so many bytes, or twice those of the input that they come from. */
const SHORT_BYTES = 1024;

/** Numbers in [0, 1). */
export type Random = () => number;

/** A whole number in [0, below). */
export const pick = (random: Random, below: number): number => Math.floor(random() * below);

/** Bytes and numbers at which parsers change their minds. */
const edgeBytes = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x22, 0x5c, 0x7b, 0x5b];
const edgeNumbers = ['0', '-1', '1e999', '-0', '1.5', '2147483648', '4294967296', '9007199254740993', '1e21', '00', '0x10'];

type Mutation = (
  bytes: Uint8Array,
  random: Random,
  others: readonly Uint8Array[],
  words: readonly Uint8Array[],
  mostBytes: number,
) => Uint8Array;

/** The bytes with `count` of them at `at` replaced. */
function splice(bytes: Uint8Array, at: number, count: number, put: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + count)]);
}

/** A range of the bytes, more often a short one. */
function range(bytes: Uint8Array, random: Random): { readonly at: number; readonly count: number } {
  const at = pick(random, bytes.length + 1);
  const most = random() < 0.75 ? 16 : bytes.length;
  return { at, count: pick(random, Math.min(bytes.length - at, most) + 1) };
}

function replaceOne(bytes: Uint8Array, random: Random, value: (old: number) => number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  if (copy.length > 0) {
    const at = pick(random, copy.length);
    copy[at] = value(copy[at]!);
  }
  return copy;
}

const mutations: readonly Mutation[] = [
  (bytes, random) => replaceOne(bytes, random, (old) => old ^ (1 << pick(random, 8))),
  (bytes, random) => replaceOne(bytes, random, () => pick(random, 256)),
  (bytes, random) => replaceOne(bytes, random, () => edgeBytes[pick(random, edgeBytes.length)]!),
  (bytes, random) => replaceOne(bytes, random, (old) => old + pick(random, 33) - 16),
  // A range is left out, doubled, or repeated many times.
  (bytes, random) => {
    const { at, count } = range(bytes, random);
    return splice(bytes, at, count, new Uint8Array());
  },
  (bytes, random) => {
    const { at, count } = range(bytes, random);
    return splice(bytes, pick(random, bytes.length + 1), 0, bytes.subarray(at, at + count));
  },
  (bytes, random, _others, _words, mostBytes) => {
    const { at, count } = range(bytes, random);
    if (count === 0) return bytes;
    const times = Math.min(2 ** pick(random, 14), Math.floor(mostBytes / count));
    return splice(bytes, at, 0, Buffer.alloc(count * times, bytes.subarray(at, at + count)));
  },
  (bytes, random) => bytes.subarray(0, pick(random, bytes.length + 1)),
  // Random bytes, a word of the grammar, a part of another input.
  (bytes, random) =>
    splice(
      bytes,
      pick(random, bytes.length + 1),
      0,
      Uint8Array.from({ length: 1 + pick(random, 8) }, () => pick(random, 256)),
    ),
  (bytes, random, _others, words) => {
    const word = words[pick(random, words.length)] ?? new Uint8Array();
    return splice(bytes, pick(random, bytes.length + 1), random() < 0.5 ? word.length : 0, word);
  },
  (bytes, random, others) => {
    const other = others[pick(random, others.length)] ?? new Uint8Array();
    const { at, count } = range(other, random);
    const mine = range(bytes, random);
    return splice(bytes, mine.at, mine.count, other.subarray(at, at + count));
  },
  // A number of a text becomes another.
  (bytes, random) => {
    const text = Buffer.from(bytes).toString('latin1');
    const found = [...text.matchAll(/-?\d+(\.\d+)?/g)];
    const number = found[pick(random, found.length)];
    if (number === undefined) return bytes;
    return splice(bytes, number.index, number[0].length, Buffer.from(edgeNumbers[pick(random, edgeNumbers.length)]!));
  },
];

/** The bytes after one to eight mutations. @param others inputs to take parts of */
export function mutated(bytes: Uint8Array, random: Random, others: readonly Uint8Array[], words: readonly Uint8Array[]): Uint8Array {
  let result = bytes;
  const mostBytes = random() < LONG ? MAX_BYTES : Math.max(SHORT_BYTES, 2 * bytes.length);
  for (let count = 1 + pick(random, 2 ** pick(random, 4)); count > 0; count--) {
    result = mutations[pick(random, mutations.length)]!(result, random, others, words, mostBytes).subarray(0, mostBytes);
  }
  return result;
}
