/** Ids and learned tokens as transformers has them: every kind of tokenizer x chat template x conversation of test/conformance/text_cases.py. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readRecord } from '../../../clients/typescript/data/records.js';
import { type TokenizerAnswers, TokenizerProgram } from '../../../clients/typescript/data/tokenizer-program.js';
import { TextTokenizer } from '../../../clients/typescript/index.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { every } from '../../support/exhaustive.js';
import { textFixture, tokenizerNames, tokenizerOf } from '../../support/tokenizer-grid.js';

interface Cases {
  readonly templates: Readonly<Record<string, string>>;
  readonly conversations: Readonly<Record<string, object>>;
  readonly pairs: readonly (readonly [string, string])[];
  readonly chats: readonly {
    readonly template: string;
    readonly conversation: string;
    readonly text: string;
    /** Of each tokenizer: of its ids, and of the learned tokens' places. */
    readonly digests: readonly string[];
  }[];
  readonly pairIds: Readonly<Record<string, readonly (readonly [readonly number[], number])[]>>;
}

const cases = textFixture<Cases>('cases.json');

const digest = (values: readonly number[]): string => createHash('sha256').update(values.join(',')).digest('hex').slice(0, 8);

/** The ids of a record, and the places of the learned ones. */
function learn(program: TokenizerProgram, value: object): { readonly ids: readonly number[]; readonly learned: readonly number[] } {
  const { ids, learned } = program.answer({ kind: 'learn', texts: [readRecord(value, 'test').record] }) as TokenizerAnswers['learn'];
  const ranges = learned[0]!;
  if ('code' in ranges) assert.fail(ranges.message);
  const mask = new Uint8Array(ids.length);
  for (let at = 0; at < ranges.length; at += 2) mask.fill(1, ranges[at], ranges[at + 1]);
  return { ids: [...ids], learned: [...mask.keys()].filter((at) => mask[at] === 1) };
}

describe('the text that transformers would see', function () {
  this.timeout(60_000);
  const chats = every(2, cases.chats);

  for (const [index, name] of tokenizerNames.entries()) {
    it(`a ${name} tokenizer gives the ids of every conversation, and learns what the assistant wrote`, () => {
      for (const [template, source] of Object.entries(cases.templates)) {
        const program = new TokenizerProgram(tokenizerOf(name, source));
        for (const { conversation, text, digests } of chats.filter((chat) => chat.template === template)) {
          const { ids, learned } = learn(program, cases.conversations[conversation]!);
          const label = `${template}, ${conversation}: ${JSON.stringify(text)}, learned ${learned.join(' ')}`;
          assert.equal(`${digest(ids)} ${digest(learned)}`, digests[index], label);
        }
      }
    });

    it(`a ${name} tokenizer gives the ids of prompt and completion as one text, and where the completion begins`, () => {
      const program = new TokenizerProgram(tokenizerOf(name));
      cases.pairs.forEach(([prompt, completion], at) => {
        const { ids, learned } = learn(program, { prompt, completion });
        const [wanted, first] = cases.pairIds[name]![at]!;
        assert.deepEqual(ids, wanted, JSON.stringify([prompt, completion]));
        assert.deepEqual(learned, [...wanted.keys()].slice(first), JSON.stringify([prompt, completion]));
      });
    });
  }

  it('every tokenizer and template of the grid is in the document', () => {
    const document = readFileSync(join(packageRoot(), 'docs/client.md'), 'utf8');
    const names = [...tokenizerNames, ...Object.keys(cases.templates)];
    assert.deepEqual(
      names.filter((name) => !document.includes(`\`${name}\``)),
      [],
    );
  });

  it('a template that refuses a conversation refuses its record', async () => {
    const { tokenizerJson, config, chatTemplate } = tokenizerOf('prepend', cases.templates['llama-2']);
    const tokenizer = new TextTokenizer(tokenizerJson, config, { vocabSize: 1000, bosTokenId: null, eosTokenIds: [] }, chatTemplate);
    assert.throws(() => tokenizer.learn(readRecord(cases.conversations['assistant-first'], 'x').record), {
      code: 'INVALID_DATA',
      message: /refuses this conversation: roles must alternate/,
    });
    await tokenizer.close();
  });
});
