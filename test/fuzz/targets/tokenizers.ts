/** `tokenizer.json` of a checkpoint: what it makes of a text is ids and a text again, or a typed error. It runs in this process: the text is short. */
import assert from 'node:assert/strict';
import { type TokenizerAnswers, TokenizerProgram } from '../../../clients/typescript/data/tokenizer-program.js';
import { CutlayerError } from '../../../src/errors.js';
import { parseJson } from '../../../src/files/json-text.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';

/** An expression that doubles its time with each character stays below the time of one input. */
const TEXT = 'Hi <s> w\u00e9 1\u{1f600}\n';

const added = (content: string, id: number) => ({
  ...{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false },
  special: true,
});
const vocabulary = (tokens: readonly string[]) => Object.fromEntries(tokens.map((token, id) => [token, id]));
const template = {
  type: 'TemplateProcessing',
  single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
  special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
};
const split = { type: 'Split', pattern: { Regex: '\\p{L}+|\\p{N}{1,3}|\\s+' }, behavior: 'Isolated', invert: false };
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

/** One of each kind of model, with the parts that checkpoints put around it. */
const documents = [
  {
    ...{ version: '1.0', truncation: null, padding: null, added_tokens: [added('<s>', 0)] },
    normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' }] },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [split, byteLevel] },
    post_processor: template,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', unk_token: null, vocab: vocabulary(['<s>', 'H', 'i', 'w', '\u0120', 'Hi', '1']), merges: ['H i'] },
  },
  {
    ...{ version: '1.0', added_tokens: [added('[UNK]', 0), added('[CLS]', 1)] },
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', sep: ['[UNK]', 0], cls: ['[CLS]', 1] },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      ...{ type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100 },
      vocab: vocabulary(['[UNK]', '[CLS]', 'h', '##i', 'w', '##e', '<', 's']),
    },
  },
  {
    ...{ version: '1.0', added_tokens: [added('<unk>', 0)] },
    normalizer: { type: 'Precompiled', precompiled_charsmap: 'BAAAAAAAAAA=' },
    pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: true },
    decoder: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: true },
    model: {
      type: 'Unigram',
      unk_id: 0,
      byte_fallback: false,
      vocab: [
        ['<unk>', 0],
        ['\u2581H', -1.5],
        ['i', -2],
        ['\u2581', -3],
      ],
    },
  },
];

/** The document of an input. @throws CutlayerError INVALID_ARTIFACT, as the reader of the file does */
function parsed(input: Uint8Array): object {
  try {
    return parseJson(Buffer.from(input).toString()) as object;
  } catch (cause) {
    throw new CutlayerError('INVALID_ARTIFACT', 'tokenizer.json: not JSON', { cause });
  }
}

function requireIds(ids: readonly unknown[], what: string): void {
  for (const id of ids) assert.ok(Number.isSafeInteger(id) && (id as number) >= 0, `${what}: ${String(id)} is no id`);
}

export const target: Target = {
  examples: documents.map((document) => Buffer.from(JSON.stringify(document))),
  made: editedJson(documents),
  words: [
    '"type":"Lowercase"',
    '"Regex":"',
    '"String":"',
    '"ignore_merges":true',
    '"byte_fallback":true',
    '"fuse_unk":true',
    '"__proto__":',
  ],
  run(input) {
    const config = { bos_token: '<s>', eos_token: { content: '[UNK]' }, add_bos_token: true };
    const program = new TokenizerProgram({ tokenizerJson: parsed(input), config, chatTemplate: undefined });
    const { leading, eosTokenId } = program.answer({ kind: 'facts' }) as TokenizerAnswers['facts'];
    requireIds([...leading, ...(eosTokenId === undefined ? [] : [eosTokenId])], 'facts');
    const { ids } = program.answer({ kind: 'encode', texts: [TEXT] }) as TokenizerAnswers['encode'];
    requireIds([...ids], 'encode');
    if (ids.length > 0) assert.equal(typeof program.answer({ kind: 'decode', ids: [...ids] }), 'string');
  },
};
