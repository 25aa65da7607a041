/** Which of a checkpoint's chat templates a conversation gets: the answers are those of transformers 5. */
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Conversation } from '../../../clients/typescript/data/messages.js';
import { NamedTemplates } from '../../../clients/typescript/data/named-templates.js';
import { TextTokenizer } from '../../../clients/typescript/index.js';
import { copyTokenizerFiles } from '../../../src/compiler/pack/checkpoint-files.js';
import { packageRoot } from '../../../src/files/package-root.js';

const messages = [{ role: 'user', content: 'a' }];
const tools = [{ name: 'f' }];
const text = (templates: NamedTemplates, conversation: Partial<Conversation>): string => {
  const whole = { messages, ...conversation };
  return templates.of(whole).render(whole, false);
};
const listed = [
  { name: 'default', template: 'D' },
  { name: 'tool_use', template: 'T{{ chat_template is defined }}' },
  { name: 'rag', template: 'R{{ more }}{{ chat_template is defined }}' },
];

describe('the chat templates of a checkpoint', () => {
  it('are one for all conversations, or chosen by tools and by name', () => {
    const one = new NamedTemplates(undefined, 'O', {});
    assert.deepEqual([text(one, {}), text(one, { tools })], ['O', 'O']);
    const several = new NamedTemplates(undefined, listed, {});
    assert.equal(text(several, {}), 'D');
    assert.equal(text(several, { tools }), 'TFalse');
    assert.equal(text(several, { tools: [] }), 'TFalse', 'an empty list is a list');
    assert.equal(text(several, { tools, chat_template_kwargs: { chat_template: 'rag', more: 1 } }), 'R1False');
  });

  it('are one for all that name none, where a caller chooses it', () => {
    const chosen = new NamedTemplates(undefined, listed, {}, 'rag');
    assert.equal(text(chosen, { tools }), 'RFalse');
    assert.equal(text(chosen, { tools, chat_template_kwargs: { chat_template: 'tool_use' } }), 'TFalse');
    const refused = (configured: unknown, message: RegExp) =>
      assert.throws(() => new NamedTemplates(undefined, configured, {}, 'other'), { code: 'INVALID_OPTION', message });
    refused(listed, /^--chat-template .*: expected one of default, rag, tool_use, got "other"$/);
    refused(undefined, /the checkpoint has no chat template, got "other"$/);
  });

  it('of files of their own count before those of the configuration', () => {
    assert.equal(text(new NamedTemplates('F', listed, {}), { tools }), 'F');
    assert.equal(text(new NamedTemplates({ default: 'F', tool_use: 'U' }, 'O', {}), { tools }), 'U');
  });

  it('without a default, or with another name, are refused with their names', () => {
    const refused = (templates: NamedTemplates, conversation: Partial<Conversation>, message: RegExp) =>
      assert.throws(() => text(templates, conversation), { code: 'INVALID_DATA', message });
    refused(new NamedTemplates(undefined, undefined, {}), {}, /has no chat template/);
    refused(new NamedTemplates(undefined, listed.slice(1), {}), {}, /several chat templates and no default; name one of rag, tool_use/);
    refused(
      new NamedTemplates(undefined, listed, {}),
      { chat_template_kwargs: { chat_template: 'other' } },
      /expected one of default, rag, tool_use, got "other"/,
    );
  });

  it('are read from additional_chat_templates, and packed with the others', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-templates-'));
    try {
      const [checkpoint, bundle] = [join(dir, 'checkpoint'), join(dir, 'bundle')];
      for (const made of [join(checkpoint, 'additional_chat_templates'), bundle]) await mkdir(made, { recursive: true });
      await cp(join(packageRoot(), 'test/fixtures/llama-tiny/tokenizer.json'), join(checkpoint, 'tokenizer.json'));
      await writeFile(join(checkpoint, 'chat_template.jinja'), 'F');
      await writeFile(join(checkpoint, 'additional_chat_templates/tool_use.jinja'), 'U');
      const files = await copyTokenizerFiles(checkpoint, bundle);
      const paths = files.map(({ path }) => path);
      assert.deepEqual(paths, ['tokenizer.json', 'chat_template.jinja', 'additional_chat_templates/tool_use.jinja']);
      assert.equal(await readFile(join(bundle, paths[2]!), 'utf8'), 'U');
      const special = { vocabSize: 320, bosTokenId: 0, eosTokenIds: [1] };
      const conversation = { form: 'messages', messages: [...messages, { role: 'assistant', content: 'b' }], tools } as const;
      for (const [place, lists] of [
        [checkpoint, {}],
        [bundle, { files, tokenizerFiles: paths }],
      ] as const) {
        const tokenizer = await TextTokenizer.load(place, { ...special, ...lists });
        const { ids } = tokenizer.learn(conversation);
        assert.equal(tokenizer.decode([...ids]), 'U', place);
        await tokenizer.close();
        const chosen = await TextTokenizer.load(place, { ...special, ...lists, template: 'default' });
        assert.equal(chosen.decode([...chosen.learn(conversation).ids]), 'F', place);
        assert.equal(chosen.renderChat(messages, true), 'F');
        await chosen.close();
        await assert.rejects(TextTokenizer.load(place, { ...special, ...lists, template: 'other' }), { code: 'INVALID_OPTION' });
      }
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
