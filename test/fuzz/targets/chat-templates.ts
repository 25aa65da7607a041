/**
 * Chat templates of a tokenizer: Jinja from a checkpoint, run over a conversation. Most run in this process, which is a thousand
 * times faster. Those that may take long on purpose are parsed here, and a small sample of them runs in the bounded worker.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_TOKENIZER_LIMITS } from '../../../clients/typescript/data/bounded-tokenizer.js';
import { ChatTemplate } from '../../../clients/typescript/data/chat-template.js';
import { TextTokenizer } from '../../../clients/typescript/data/text-tokenizer.js';
import { packageRoot } from '../../../src/files/package-root.js';
import type { Target } from '../target.js';

const fixture = join(packageRoot(), 'test', 'fixtures', 'llama-tiny');
const tokenizerJson = JSON.parse(readFileSync(join(fixture, 'tokenizer.json'), 'utf8')) as object;
const special = { vocabSize: 320, bosTokenId: 0, eosTokenIds: [1] };
const texts = { bos_token: '<|begin|>', eos_token: '<|end|>', pad_token: '', unk_token: '' };
const limits = { ...DEFAULT_TOKENIZER_LIMITS, timeMs: 500, heapMb: 128 };
const conversation = [
  { role: 'system', content: 'Be short.' },
  { role: 'user', content: 'Hello {{ there }}' },
  { role: 'assistant', content: 'Hi' },
];

export const target: Target = {
  words: [
    '{% if ',
    '{% endif %}',
    '{% for x in messages %}',
    '{% endfor %}',
    '{% set ns = namespace(a=1) %}',
    '{% macro m(x) %}',
    '{% endmacro %}',
    '| trim',
    '| tojson',
    '| join',
    ' is defined',
    'raise_exception("no")',
    'messages[0]',
    'loop.index',
    '{{ x }}',
    '{#',
    '#}',
    'not ',
    ' in ',
    '~',
    '[::-1]',
    '{%- break %}',
    '| upper',
    'strftime_now("%Y")',
  ],
  async run(input) {
    const source = Buffer.from(input).toString();
    const template = new ChatTemplate(source, texts);
    if (isShort(source)) return void template.trace({ messages: conversation }, true);
    if (checksum(input) % SAMPLE !== 0) return;
    const tokenizer = new TextTokenizer(tokenizerJson, texts, special, source, limits);
    try {
      tokenizer.renderChat(conversation, true);
    } finally {
      await tokenizer.close();
    }
  },
};

/** One in so many of the templates that may take long runs in the worker. */
const SAMPLE = 1024;

/** Whether all loops are over the three messages, and few are inside others. Macros that call themselves exhaust the stack soon. */
function isShort(source: string): boolean {
  return !/range/.test(source) && (source.match(/\bfor\b|\bmap\b|\bselect/g) ?? []).length <= 3;
}

const checksum = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => (Math.imul(sum, 31) + byte) >>> 0, 7);
