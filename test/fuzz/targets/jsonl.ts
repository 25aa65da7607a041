/** Data files of JSON lines, and bodies of a participant's examples server. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { pythonFloat } from '../../../clients/typescript/data/exact-numbers.js';
import { readLines } from '../../../clients/typescript/data/lines.js';
import { type DataRecord, parseRecord } from '../../../clients/typescript/data/records.js';
import { requestLines } from '../../../clients/typescript/intake/request-lines.js';
import { editedJson } from '../json-edits.js';
import { scratchFile } from '../scratch-files.js';
import type { Target } from '../target.js';

const records = [
  { prompt: 'Question: ', completion: 'answer', label: 'yes', task: 'qa' },
  {
    messages: [
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: 'hi' },
    ],
    id: 7,
  },
  { text: 'A sentence with \u00e9 and \u{1f600}.' },
];
const lines = records.map((record) => JSON.stringify(record));

/** The line that holds a record. */
const lineOf = ({ form: _, ...fields }: DataRecord): string => exactJson(fields);

/** As JSON.stringify, with numbers as they were written. */
function exactJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Number) return Number.isFinite(Number(value)) ? pythonFloat(Number(value)) : `${Number(value) < 0 ? '-' : ''}1e400`;
  if (Array.isArray(value)) return `[${value.map(exactJson).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}:${exactJson(item)}`)
    .join()}}`;
}

export const target: Target = {
  examples: [Buffer.from(lines.join('\n')), Buffer.from(`\ufeff${lines.join('\r\n')}\r\n`), Buffer.from(JSON.stringify(records))],
  made: fc.array(editedJson(records), { maxLength: 4 }).map((made) => Buffer.concat(made.flatMap((line) => [line, Buffer.from('\n')]))),
  words: [
    '\r\n',
    '\ufeff',
    '\u2028',
    '"messages":[{"role":"assistant","content":"x"}]',
    '"text":""',
    '"label":1e400',
    '"tools":[{"x":1.0,"y":12345678901234567890}]',
    '\\ud83d',
  ],
  async run(input) {
    const bodies = ['application/json', 'application/x-ndjson'].flatMap((type) => {
      try {
        return requestLines(input, type);
      } catch (caught) {
        if (caught instanceof TypeError || caught instanceof RangeError) throw caught;
        return [];
      }
    });
    for (const line of bodies) assert.ok(!line.includes('\n'), 'a line of a body holds a line end');
    for await (const { text, number } of readLines(scratchFile('data.jsonl', input))) {
      if (text.trim() === '') continue;
      const record = parseRecord(text, `data.jsonl:${number}`);
      assert.deepEqual(parseRecord(lineOf(record), 'again'), record);
    }
  },
};
