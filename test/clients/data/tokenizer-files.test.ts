/** What the files beside tokenizer.json say, as transformers 5 reads them. */
import assert from 'node:assert/strict';
import { readTokenizer, withSideFiles } from '../../../clients/typescript/data/tokenizer-files.js';

const row = (id: number, content: string, others: object = {}) => ({ id, content, special: true, normalized: false, ...others });
const json = {
  added_tokens: [row(0, '<s>'), row(1, '</s>')],
  model: { type: 'BPE', vocab: { '<s>': 0, '</s>': 1, a: 2, b: 3 }, merges: [] },
};

describe('the files of a tokenizer', () => {
  it('take names of special tokens from special_tokens_map.json, against tokenizer_config.json', () => {
    const config = withSideFiles({
      config: { eos_token: 'x', tokenizer_class: 'T' },
      specialTokensMap: { eos_token: { content: 'y' }, bos_token: 'z' },
    });
    assert.deepEqual(config, { eos_token: { content: 'y' }, bos_token: 'z', tokenizer_class: 'T' });
  });

  it('do not count beside a configuration that lists its added tokens', () => {
    const config = { added_tokens_decoder: { 0: { content: '<s>' } } };
    assert.equal(withSideFiles({ config, specialTokensMap: { eos_token: 'y' }, addedTokens: { q: 9 } }), config);
  });

  it('add the tokens of added_tokens.json that tokenizer.json does not have', () => {
    const config = withSideFiles({
      config: {},
      specialTokensMap: { eos_token: '<end>' },
      addedTokens: { '<s>': 7, '<end>': 4, '<more>': 5, b: 3 },
    });
    const { added_tokens: added } = readTokenizer(json, config, undefined).json;
    assert.deepEqual(
      added!.map(({ id, content, special, normalized }) => [id, content, special, normalized]),
      [
        [0, '<s>', true, false],
        [1, '</s>', true, false],
        [3, 'b', false, true],
        [4, '<end>', true, false],
        [5, '<more>', false, true],
      ],
    );
  });

  it('add named special tokens, with their id where the model has them', () => {
    const { added_tokens: added } = readTokenizer(json, { eos_token: 'b', additional_special_tokens: ['<new>'] }, undefined).json;
    assert.deepEqual(
      added!.slice(2).map(({ id, content, special }) => [id, content, special]),
      [
        [3, 'b', true],
        [4, '<new>', true],
      ],
    );
  });

  it('take the conventional bos and eos tokens where no file names any, and say so', () => {
    const read = readTokenizer(json, {}, undefined);
    assert.deepEqual([read.config.bos_token, read.config.eos_token, read.conventionalEos], ['<s>', '</s>', true]);
    assert.equal(readTokenizer({ ...json, added_tokens: [] }, {}, undefined).conventionalEos, false, 'which tokenizer.json must have');
    assert.equal(readTokenizer(json, { eos_token: 'b' }, undefined).conventionalEos, false);
  });

  it('let the model decide between its own class and the one that is named', () => {
    const parts = (tokenizer_class: string, family: string | undefined) =>
      (readTokenizer(json, { tokenizer_class }, family).json as { readonly pre_tokenizer?: { readonly type: string } }).pre_tokenizer?.type;
    assert.equal(parts('LlamaTokenizerFast', 'llama'), 'Metaspace');
    assert.equal(parts('LlamaTokenizerFast', 'mistral'), undefined, 'the family takes tokenizer.json as it is');
    assert.equal(parts('LlamaTokenizer', 'qwen2'), 'Sequence', 'published files name a wrong class');
    assert.equal(parts('PreTrainedTokenizerFast', 'llama'), undefined);
    assert.equal(parts('GPT2Tokenizer', undefined), 'ByteLevel');
  });
});
