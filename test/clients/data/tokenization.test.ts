/** Tokenization as the Rust tokenizers and transformers' chat template do it, and where the loss lies. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChatMessage } from '../../../clients/typescript/data/messages.js';
import { type DataRecord, type ExampleOptions, TextTokenizer, toExamples } from '../../../clients/typescript/index.js';
import { packageRoot } from '../../../src/files/package-root.js';

const dir = join(packageRoot(), 'test/fixtures/llama-tiny');
const special = { vocabSize: 320, bosTokenId: 0, eosTokenIds: [1] };
const reference = JSON.parse(readFileSync(join(dir, 'tokenizer-reference.json'), 'utf8')) as {
  readonly encodings: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly idsWithoutSpecialTokens: readonly number[];
    readonly decoded: string;
  }[];
  readonly chats: readonly {
    readonly messages: readonly ChatMessage[];
    readonly addGenerationPrompt: boolean;
    readonly rendered: string;
    readonly ids: readonly number[];
  }[];
};

describe('TextTokenizer', () => {
  let tokenizer: TextTokenizer;

  before(async () => {
    tokenizer = await TextTokenizer.load(dir, special);
  });

  for (const { text, ids, idsWithoutSpecialTokens, decoded } of reference.encodings) {
    it(`gives the ids of the Rust tokenizers for ${JSON.stringify(text)}, and the text back`, () => {
      assert.deepEqual(tokenizer.encode(text), idsWithoutSpecialTokens);
      assert.deepEqual([...tokenizer.leading, ...tokenizer.encode(text)], ids);
      assert.equal(tokenizer.decode(ids), decoded);
    });
  }

  for (const [index, { messages, addGenerationPrompt, rendered, ids }] of reference.chats.entries()) {
    it(`renders conversation ${index} as transformers does`, () => {
      const text = tokenizer.renderChat(messages, addGenerationPrompt);
      assert.equal(text, rendered);
      assert.deepEqual(tokenizer.encode(text), ids);
    });
  }

  it('follows the post-processor against add_bos_token, as transformers 5', () => {
    const json = JSON.parse(readFileSync(join(dir, 'tokenizer.json'), 'utf8')) as Record<string, unknown>;
    assert.deepEqual(new TextTokenizer(json, { add_bos_token: false }, special).leading, [0]);
    assert.deepEqual(new TextTokenizer({ ...json, post_processor: null }, { add_bos_token: true }, special).leading, []);
    assert.deepEqual(new TextTokenizer({ ...json, post_processor: null }, {}, special).leading, []);
  });
});

describe('examples', () => {
  let tokenizer: TextTokenizer;
  const options = { maxLength: 200 };

  before(async () => {
    tokenizer = await TextTokenizer.load(dir, special);
  });

  const examples = (record: DataRecord, more: Partial<ExampleOptions> = {}) =>
    toExamples(record, tokenizer, { ...options, ...more }, 'test:1');
  const example = (record: DataRecord, more: Partial<ExampleOptions> = {}) => examples(record, more)[0]!;
  const labelled = ({ tokenIds, labelMask }: { tokenIds: Int32Array; labelMask: Uint8Array }) =>
    [...tokenIds].filter((_, i) => labelMask[i] === 1);

  it('carry loss on the completion and its end only', () => {
    const made = example({ form: 'completion', prompt: 'Which part failed?', completion: ' Pump' });
    const prompt = [0, ...tokenizer.encode('Which part failed?')];
    assert.deepEqual([...made.tokenIds], [...prompt, ...tokenizer.encode(' Pump'), 1]);
    assert.deepEqual(labelled(made), [...tokenizer.encode(' Pump'), 1]);
    assert.equal(made.promptLength, prompt.length);
  });

  it('end without eos when that is asked for', () => {
    const made = example({ form: 'completion', prompt: 'a', completion: 'b' }, { appendEos: false });
    assert.deepEqual([...made.tokenIds], [0, ...tokenizer.encode('a'), ...tokenizer.encode('b')]);
  });

  it('carry loss on every token of a plain text', () => {
    const made = example({ form: 'text', text: 'pressure' });
    assert.deepEqual([...made.tokenIds], [0, ...tokenizer.encode('pressure'), 1]);
    assert.ok(made.labelMask.every((label) => label === 1));
    assert.equal(made.promptLength, 0);
  });

  it('carry loss on assistant turns only, and hold the tokens of the whole conversation', () => {
    const messages = [
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'two' },
      { role: 'user', content: 'three' },
      { role: 'assistant', content: 'four' },
    ];
    const made = example({ form: 'messages', messages });
    assert.deepEqual([...made.tokenIds], tokenizer.encode(tokenizer.renderChat(messages, false)));
    const turn = (text: string) => tokenizer.encode(`${text}<|end|>\n`);
    assert.deepEqual(labelled(made), [...turn('two'), ...turn('four')]);
    assert.equal(made.promptLength, tokenizer.encode(tokenizer.renderChat(messages.slice(0, 3), true)).length);
  });

  it('are cut at the end or left out when the policy says so', () => {
    const record = { form: 'text', text: 'The pump lost pressure.' } as const;
    const whole = example(record);
    const cut = example(record, { maxLength: 5, overlong: 'truncate' });
    assert.deepEqual([...cut.tokenIds], [...whole.tokenIds.subarray(0, 5)]);
    assert.deepEqual(examples(record, { maxLength: 5, overlong: 'skip' }), []);
  });

  it('of a document longer than a window predict every token once, from what stands before it', () => {
    const record = { form: 'text', text: 'The pump lost pressure. The valve leaks oil at line three.' } as const;
    const whole = example(record);
    for (const maxLength of [2, 7, whole.tokenIds.length - 1, whole.tokenIds.length]) {
      const windows = examples(record, { maxLength, objective: 'text' });
      assert.ok(windows.every(({ tokenIds }) => tokenIds.length <= maxLength && tokenIds.length >= 2));
      const predicted = windows.flatMap((window) => labelled(window));
      assert.deepEqual(predicted, [...whole.tokenIds], `windows of ${maxLength}`);
      windows.slice(1).forEach(({ tokenIds, labelMask }, at) => {
        assert.equal(tokenIds[0], windows[at]!.tokenIds.at(-1), 'a window begins with the last token of the one before');
        assert.equal(labelMask[0], 0);
      });
    }
    assert.throws(() => examples(record, { maxLength: 1, objective: 'text' }), { code: 'INVALID_ARGUMENT', message: /at least 2 tokens/ });
  });

  it('of the objective text are of text records only', () => {
    const record = { form: 'completion', prompt: 'a', completion: 'b' } as const;
    assert.throws(() => examples(record, { objective: 'text' }), {
      code: 'INVALID_DATA',
      message: /test:1: the objective text wants \{"text"\}/,
    });
  });

  it('of a class carry its id and no loss on tokens, and end with the text itself', () => {
    const made = example({ form: 'text', text: 'leaks oil', label: 'oil' }, { labels: ['steam', 'oil'] });
    assert.deepEqual([...made.tokenIds], [0, ...tokenizer.encode('leaks oil')]);
    assert.deepEqual(labelled(made), []);
    assert.equal(made.classLabel, 1);
  });

  it('of a class are refused without a known label, naming those that there are', () => {
    const labels = ['steam', 'oil'];
    const refused = (record: DataRecord, message: RegExp) =>
      assert.throws(() => examples(record, { labels }), { code: 'INVALID_DATA', message });
    refused({ form: 'text', text: 'a', label: 'water' }, /test:1: "label": expected one of steam, oil; got "water"/);
    refused({ form: 'text', text: 'a' }, /test:1: "label": expected one of steam, oil; got nothing/);
    refused({ form: 'completion', prompt: 'a', completion: 'b', label: 'oil' }, /wants \{"text", "label"\} records/);
  });

  it('of a task carry its id, whatever their form, and are refused without one', () => {
    const tasks = ['north', 'south'];
    assert.equal(example({ form: 'completion', prompt: 'a', completion: 'b', task: 'south' }, { tasks }).task, 1);
    assert.throws(() => examples({ form: 'text', text: 'a', task: 'west' }, { tasks }), {
      code: 'INVALID_DATA',
      message: /test:1: "task": expected one of north, south; got "west"/,
    });
    assert.equal(example({ form: 'text', text: 'a', task: 'west' }).task, undefined, 'without tasks it says nothing');
  });
});
