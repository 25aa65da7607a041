/** Protobuf messages by the wire's rules alone: any field may have any number, any type and any length. */
import fc from 'fast-check';

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

const field = (number: number, wireType: number, body: Uint8Array): Uint8Array =>
  Buffer.concat([varint((BigInt(number) << 3n) | BigInt(wireType)), body]);

const withLength = (body: Uint8Array): Uint8Array => Buffer.concat([varint(BigInt(body.length)), body]);

const number = fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 1, max: 14 }) }, { weight: 1, arbitrary: fc.nat(2 ** 29) });
const small = fc.bigInt({ min: 0n, max: 8n });
const value = fc.oneof(
  small,
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n),
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => Buffer.from(text)),
  fc.array(small, { maxLength: 6 }).map((values) => Buffer.concat(values.map(varint))),
);

/** Messages of up to eight fields, nested up to three deep. */
export function wireMessage(depth = 3): fc.Arbitrary<Uint8Array> {
  const bodies = depth === 0 ? bytes : fc.oneof({ weight: 2, arbitrary: bytes }, { weight: 3, arbitrary: wireMessage(depth - 1) });
  const fields = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(number, bodies).map(([at, body]) => field(at, 2, withLength(body))) },
    { weight: 4, arbitrary: fc.tuple(number, value).map(([at, what]) => field(at, 0, varint(what))) },
    { weight: 1, arbitrary: fc.tuple(number, fc.uint8Array({ minLength: 8, maxLength: 8 })).map(([at, body]) => field(at, 1, body)) },
  );
  return fc.array(fields, { maxLength: 8 }).map((parts) => Buffer.concat(parts));
}

/** Such a message behind one byte that chooses a method. */
export const methodMessage = (methods: number): fc.Arbitrary<Uint8Array> =>
  fc.tuple(fc.nat(methods - 1), wireMessage()).map(([method, message]) => Buffer.concat([Uint8Array.of(method), message]));
