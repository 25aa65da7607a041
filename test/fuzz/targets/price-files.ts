/** Files of prices: decimals that read back the same. */
import assert from 'node:assert/strict';
import { parsePrices } from '../../../src/gateway/ledger/price-file.js';
import { costOf } from '../../../src/protocol/metering/prices.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';
import { yamlWords } from '../yaml-words.js';

const documents = [
  { currency: 'EUR', models: { '*': { forward: '0.20', backward: 0.4, decoded: '1', cached: 0, gigabyte: '0.05' } } },
  { currency: 'USD', models: { 'my-llama': { forward: '0.000001' }, ['ab'.repeat(32)]: {} } },
];

export const target: Target = {
  examples: documents.map((document) => Buffer.from(JSON.stringify(document))),
  made: editedJson(documents),
  words: [...yamlWords, 'currency: EUR', 'models:', 'forward: 1e3', 'forward: -1', "'*':", 'gigabyte: .inf'],
  run(input) {
    const book = parsePrices(Buffer.from(input).toString(), 'prices');
    for (const name of ['my-llama', 'ab'.repeat(32), '__proto__', 'toString', 'another']) {
      const { currency, ...prices } = book.of(name, name);
      const cost = costOf({ forward: 3, backward: 3, decoded: 1, cached: 1, bytesIn: 10, bytesOut: 10 }, prices);
      assert.match(cost, /^\d+(\.\d+)?$/);
      const again = parsePrices(JSON.stringify({ currency, models: { '*': prices } }), 'again');
      assert.deepEqual(again.of(name, name), { currency, ...prices });
    }
  },
};
