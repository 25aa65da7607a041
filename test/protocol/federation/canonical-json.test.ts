import assert from 'node:assert/strict';
import { canonicalBytes, canonicalJson } from '../../../src/protocol/federation/canonical-json.js';

/** RFC 8785, appendix B: the bits of a number, and how it is spelled. */
const numbers: Readonly<Record<string, string>> = {
  '0000000000000000': '0',
  '8000000000000000': '0',
  '0000000000000001': '5e-324',
  '8000000000000001': '-5e-324',
  '7fefffffffffffff': '1.7976931348623157e+308',
  ffefffffffffffff: '-1.7976931348623157e+308',
  '4340000000000000': '9007199254740992',
  c340000000000000: '-9007199254740992',
  '4430000000000000': '295147905179352830000',
  '44b52d02c7e14af5': '9.999999999999997e+22',
  '44b52d02c7e14af6': '1e+23',
  '44b52d02c7e14af7': '1.0000000000000001e+23',
  '444b1ae4d6e2ef4e': '999999999999999700000',
  '444b1ae4d6e2ef4f': '999999999999999900000',
  '444b1ae4d6e2ef50': '1e+21',
  '3eb0c6f7a0b5ed8c': '9.999999999999997e-7',
  '3eb0c6f7a0b5ed8d': '0.000001',
  '41b3de4355555553': '333333333.3333332',
  '41b3de4355555554': '333333333.33333325',
  '41b3de4355555555': '333333333.3333333',
  '41b3de4355555556': '333333333.3333334',
  '41b3de4355555557': '333333333.33333343',
  becbf647612f3696: '-0.0000033333333333333333',
  '43143ff3c1cb0959': '1424953923781206.2',
};

const numberOf = (bits: string): number => Buffer.from(bits, 'hex').readDoubleBE();

describe('canonical JSON', () => {
  for (const [bits, spelled] of Object.entries(numbers)) {
    it(`spells ${spelled} (${bits}) as RFC 8785 appendix B`, () => assert.equal(canonicalJson(numberOf(bits)), spelled));
  }

  it('spells numbers, strings and literals as RFC 8785 section 3.2.2, in the bytes of section 3.2.4', () => {
    const input = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    const bytes =
      '7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b3333333333333333332e333333333333332c31652b33302c342e35' +
      '2c302e3030322c31652d32375d2c22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5c222f227d';
    assert.equal(Buffer.from(canonicalBytes(JSON.parse(input))).toString('hex'), bytes);
  });

  it('sorts keys as RFC 8785 section 3.2.3', () => {
    const input = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    assert.deepEqual(
      [...canonicalJson(input).matchAll(/:"(.*?)"[,}]/g)].map(([, value]) => value),
      [
        'Carriage Return',
        'One',
        'Control',
        'Latin Small Letter O With Diaeresis',
        'Euro Sign',
        'Emoji: Grinning Face',
        'Hebrew Letter Dalet With Dagesh',
      ],
    );
  });

  it('spells a value in one way, whatever the order of its keys', () => {
    assert.equal(canonicalJson({ b: [1, 2.5, null], a: { d: 'ü"', c: true } }), '{"a":{"c":true,"d":"ü\\""},"b":[1,2.5,null]}');
    assert.equal(canonicalJson({ a: undefined, b: 1e21 }), '{"b":1e+21}');
  });

  const refused: readonly [string, unknown, RegExp][] = [
    ['an infinity', { a: Number.POSITIVE_INFINITY }, /finite/],
    ['the infinity of appendix B', numberOf('7ff0000000000000'), /finite/],
    ['the NaN of appendix B', numberOf('7fffffffffffffff'), /finite/],
    ['undefined in a list', [undefined], /undefined/],
    ['undefined itself', undefined, /undefined/],
    ['a list with a hole', Array(1), /undefined/],
    ['a function', { a: () => 1 }, /function/],
    ['a symbol', { a: Symbol('a') }, /symbol/],
    ['a bigint', { a: 1n }, /bigint/],
    ['a date', { a: new Date(0) }, /Date/],
    ['a typed array', { a: new Uint8Array(1) }, /Uint8Array/],
    ['an object with a spelling of its own', { toJSON: () => 'a' }, /function/],
    ['half a surrogate pair', { a: '\ud800' }, /surrogate/i],
    ['half a surrogate pair in a name', { '\udc00': 1 }, /surrogate/i],
  ];
  for (const [what, value, message] of refused) {
    it(`refuses ${what}`, () => assert.throws(() => canonicalJson(value), { code: 'INVALID_ARGUMENT', message }));
  }
});
