/** Chat templates of a tokenizer: Jinja from a checkpoint, run over a conversation. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TextTokenizer } from '../../../clients/typescript/data/text-tokenizer.js';
import { packageRoot } from '../../../src/files/package-root.js';
import type { Target } from '../target.js';

const fixture = join(packageRoot(), 'test', 'fixtures', 'llama-tiny');
const tokenizerJson = JSON.parse(readFileSync(join(fixture, 'tokenizer.json'), 'utf8')) as object;
const special = { vocabSize: 320, bosTokenId: 0, eosTokenIds: [1] };
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
  run(input) {
    const tokenizer = new TextTokenizer(
      tokenizerJson,
      { bos_token: '<|begin|>', eos_token: '<|end|>' },
      special,
      Buffer.from(input).toString(),
    );
    tokenizer.renderChat(conversation, true);
  },
};
