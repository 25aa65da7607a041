/** Prompts of generation: plain text, and messages through the chat template. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { learnedChats, trainedOnFile } from '../../../clients/typescript/adapters/trained-on.js';
import { readPrompt } from '../../../clients/typescript/cli/generate/read-prompt.js';
import { type ChatMessage, TextTokenizer } from '../../../clients/typescript/index.js';
import { promptIds } from '../../../clients/typescript/inference/generate.js';
import { packageRoot } from '../../../src/files/package-root.js';

const fixture = join(packageRoot(), 'test/fixtures/llama-tiny');
const given = { prompt: undefined, chat: false, system: undefined, messages: undefined };
const input = (text: string) => Readable.from([text]);

describe('a prompt', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-prompts-'));
  });
  after(() => rm(dir, { recursive: true }));

  it('of messages has the ids of transformers, with the generation prompt and one bos', async () => {
    const tokenizer = await TextTokenizer.load(fixture, { vocabSize: 320, bosTokenId: 0, eosTokenIds: [1] });
    const { chats } = JSON.parse(await readFile(join(fixture, 'tokenizer-reference.json'), 'utf8')) as {
      readonly chats: readonly {
        readonly messages: readonly ChatMessage[];
        readonly addGenerationPrompt: boolean;
        readonly ids: readonly number[];
      }[];
    };
    const { messages, ids } = chats.find(({ addGenerationPrompt }) => addGenerationPrompt)!;
    assert.deepEqual(promptIds(tokenizer, messages), ids);
    assert.equal(ids.filter((id) => id === 0).length, 1);
    assert.deepEqual(promptIds(tokenizer, 'The pump'), [0, ...tokenizer.encode('The pump')]);
    await tokenizer.close();
  });

  it('is read from flags, standard input or a file', async () => {
    assert.equal(await readPrompt({ ...given, prompt: 'a' }, input('')), 'a');
    assert.equal(await readPrompt(given, input('b')), 'b');
    assert.deepEqual(await readPrompt({ ...given, chat: true, system: 's' }, input('c')), [
      { role: 'system', content: 's' },
      { role: 'user', content: 'c' },
    ]);
    const messages = [{ role: 'user', content: 'd' }];
    for (const [name, value] of Object.entries({ list: messages, object: { messages } })) {
      await writeFile(join(dir, name), JSON.stringify(value));
      assert.deepEqual(await readPrompt({ ...given, messages: join(dir, name) }, input('')), messages);
    }
  });

  it('is refused where flags contradict each other, or a file holds no messages', async () => {
    await writeFile(join(dir, 'text'), 'hello');
    await writeFile(join(dir, 'role'), '[{"content": "x"}]');
    const refused = (flags: Partial<typeof given> | object, code: string, message: RegExp) =>
      assert.rejects(readPrompt({ ...given, ...flags }, input('')), { code, message });
    await refused({}, 'INVALID_ARGUMENT', /the prompt is empty/);
    await refused({ prompt: 'a', system: 's' }, 'INVALID_OPTION', /--system: .*pass --chat/);
    await refused({ prompt: 'a', messages: join(dir, 'text') }, 'INVALID_OPTION', /--messages: .*whole conversation/);
    await refused({ messages: join(dir, 'text') }, 'INVALID_DATA', /text: not JSON/);
    await refused({ messages: join(dir, 'role') }, 'INVALID_DATA', /messages\[0\]\.role: expected one of/);
    await refused({ messages: join(dir, 'none') }, 'NOT_FOUND', /no such file/);
  });

  it('that is plain is known to miss the template of an adapter that learned conversations', async () => {
    const learned = async (examples: readonly { readonly chat?: boolean }[]) => {
      const { name, text } = trainedOnFile(examples);
      await writeFile(join(dir, name), text);
      return learnedChats(dir);
    };
    assert.equal(await learned([{ chat: true }, { chat: true }]), true);
    assert.equal(await learned([{ chat: true }, {}]), false);
    assert.equal(await learned([{}]), false);
    assert.equal(await learnedChats(join(dir, 'nowhere')), false);
  });
});
