/** Bodies of `POST /v1/feedback`: each line is refused with its reason, or is a record to train on. */
import assert from 'node:assert/strict';
import { parseRecord } from '../../../clients/typescript/data/records.js';
import { parseStoredExample } from '../../../clients/typescript/improvement/stored-example.js';
import { readFeedback } from '../../../clients/typescript/intake/feedback.js';
import { requestLines } from '../../../clients/typescript/intake/request-lines.js';
import { CutlayerError } from '../../../src/errors.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';

const call = { id: 'a', type: 'function', function: { name: 'find', arguments: { part: 1 } } };
const documents = [
  { prompt: 'Question: ', completion: 'answer', verdict: 'accepted', id: 'cmpl-1' },
  { prompt: 'Question: ', completion: 'wrong', verdict: { corrected: 'right' }, task: 'qa' },
  {
    messages: [
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', content: '7' },
    ],
    ...{
      tools: [{ type: 'function', function: { name: 'find', parameters: { maximum: 1.5 } } }],
      completion: 'hi',
      verdict: { rating: 4 },
    },
  },
];

export const target: Target = {
  examples: [...documents, documents].map((document) => Buffer.from(JSON.stringify(document))),
  made: editedJson([...documents, documents]),
  words: [
    '"verdict":{"rating":',
    '"corrected":""',
    '"id":""',
    '"messages":[{}]',
    '"completion":"',
    '1e999',
    '12345678901234567890',
    '\\ud83d',
  ],
  run(input) {
    const refusals = requestLines(input, 'application/json').flatMap((line) => {
      try {
        const { record, id, rating } = readFeedback(line);
        const stored = {
          record,
          origin: 'feedback',
          digest: 'ab'.repeat(32),
          at: 1,
          ...(id !== undefined && { id }),
          ...(rating && { rating }),
        };
        assert.deepEqual(parseStoredExample(JSON.stringify(stored)), stored);
        parseRecord(record, 'example 0');
        return [];
      } catch (caught) {
        // Each line has its own outcome.
        if (!(caught instanceof CutlayerError) || caught.code === 'INTERNAL') throw caught;
        return [caught];
      }
    });
    if (refusals.length > 0) throw refusals[0];
  },
};
