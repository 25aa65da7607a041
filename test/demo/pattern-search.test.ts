import assert from 'node:assert/strict';
import { floatWords, type Pattern, PatternSearch, ringWords, windowsOf } from '../../demo/federated/pattern-search.js';
import { seeded } from '../../src/tensor/random.js';

const random = seeded(5);
const update = Float32Array.from({ length: 300 }, () => random.normal() / 100);
const scale = 6.7e7;
const patterns: readonly Pattern[] = [
  { name: 'float32', words: floatWords(update), slack: 0 },
  { name: 'ring', words: ringWords(update, scale), slack: 1 },
];
const search = new PatternSearch(patterns);

/** Bytes of noise with others at an odd place. */
function hidden(part: Uint8Array, offset = 1013): Uint8Array {
  const noise = Uint8Array.from({ length: 4096 }, () => random.integer(256));
  noise.set(part, offset);
  return noise;
}

const bytesOf = (words: Uint32Array | Float32Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

describe("the demo's search for updates in stored bytes", () => {
  it('finds any four numbers of an update, at any byte', () => {
    for (const at of [0, 123, 296]) {
      const match = search.find(hidden(bytesOf(update.slice(at, at + 4))));
      assert.deepEqual(match, { name: 'float32', word: at, offset: 1013 });
    }
  });

  it('finds an update in fixed point, however it was rounded', () => {
    for (const ups of [
      [0, 0, 0, 0],
      [1, 1, 1, 1],
      [0, 1, 0, 1],
      [1, 0, 0, 1],
    ]) {
      const rounded = Uint32Array.from(ups, (up, at) => (Math.floor(update[40 + at]! * scale) + up) >>> 0);
      assert.deepEqual(search.find(hidden(bytesOf(rounded))), { name: 'ring', word: 40, offset: 1013 });
    }
  });

  it('finds nothing in noise, in a masked update, in zeros, nor in three numbers', () => {
    const masked = Uint32Array.from(ringWords(update, scale), (word) => (word + Math.floor(random.next() * 2 ** 32)) >>> 0);
    assert.equal(search.find(hidden(bytesOf(masked))), undefined);
    assert.equal(search.find(new Uint8Array(4096)), undefined);
    assert.equal(search.find(hidden(bytesOf(update.slice(7, 10)))), undefined);
    assert.equal(new PatternSearch([{ name: 'zeros', words: new Uint32Array(64), slack: 1 }]).find(new Uint8Array(512)), undefined);
  });

  it('searches for no window with a word near zero, and does not count one', () => {
    const small: Pattern = { name: 'small', words: Uint32Array.of(900, 800, 700, 0xffffff9c, 900, 800, 700, 600, 60, 900), slack: 1 };
    assert.deepEqual(windowsOf(small), [4]);
    assert.equal(new PatternSearch([small]).windows, 1);
    const [at] = windowsOf(small);
    assert.deepEqual(new PatternSearch([small]).find(hidden(bytesOf(small.words.slice(at, at! + 4)))), {
      name: 'small',
      word: 4,
      offset: 1013,
    });
  });

  it('does not take a neighbour of a float for the float', () => {
    const words = floatWords(update.slice(0, 4)).map((word) => word + 1);
    assert.equal(search.find(hidden(bytesOf(words))), undefined);
  });
});
