/** Values in templates as transformers writes them: test/conformance/value_cases.py. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChatTemplate } from '../../../clients/typescript/data/chat-template.js';
import { exactNumber, parseExactJson, plainNumbers, pythonFloat } from '../../../clients/typescript/data/exact-numbers.js';
import type { ChatMessage } from '../../../clients/typescript/data/messages.js';
import { parseRecord } from '../../../clients/typescript/index.js';
import { packageRoot } from '../../../src/files/package-root.js';

const cases = JSON.parse(readFileSync(join(packageRoot(), 'test/fixtures/text/values.json'), 'utf8')) as {
  readonly messages: string;
  readonly values: readonly { readonly template: string; readonly text: string }[];
};

describe('values in a chat template', () => {
  const messages = parseExactJson(cases.messages) as readonly ChatMessage[];
  for (const { template, text } of cases.values) {
    it(`are those of Python: ${template}`, () => {
      assert.equal(new ChatTemplate(template, {}).render({ messages }, false), text);
      assert.equal(new ChatTemplate(template, {}).trace({ messages }, false).text, text);
    });
  }

  it('survive the way from a line of data to the thread of the tokenizer', () => {
    const record = parseRecord(`{"messages": ${cases.messages}}`, 'x:1');
    assert.ok(record.form === 'messages');
    const cloned = structuredClone(record);
    assert.ok(cloned.form === 'messages');
    const template = cases.values.find(({ template: source }) => source.endsWith('arguments | tojson }}'))!;
    assert.equal(new ChatTemplate(template.template, {}).render(cloned, false), template.text);
  });

  it('that are undefined have no attributes, and views of a dictionary are no JSON, as in Python', () => {
    for (const [template, message] of [
      ['{{ messages[0].x.y is defined }}', /it reads an attribute of x, which is undefined/],
      ['{{ missing.y }}', /it reads an attribute of missing, which is undefined/],
      ["{{ {'a': 1}.items() | tojson }}", /dict_items is no JSON; a list of it is/],
    ] as const)
      assert.throws(() => new ChatTemplate(template, {}).render({ messages }, false), { code: 'INVALID_DATA', message });
  });

  it('that are undefined are no JSON, as in Python', () => {
    assert.throws(() => new ChatTemplate('{{ missing | tojson }}', {}).render({ messages }, false), {
      code: 'INVALID_DATA',
      message: /an undefined value is no JSON/,
    });
  });
});

describe('numbers of JSON', () => {
  it('keep the look that Python gives them', () => {
    const looks: Readonly<Record<string, string>> = {
      '1.0': '1.0',
      '1e22': '1e+22',
      '123456789.0': '123456789.0',
      '1E400': 'inf',
      '0.0001': '0.0001',
    };
    for (const [source, look] of Object.entries(looks)) assert.equal(pythonFloat(Number(exactNumber(source))), look, source);
    assert.equal(exactNumber('12345678901234567890'), 12345678901234567890n);
    assert.equal(exactNumber('0.5'), 0.5);
    assert.ok(Object.is(exactNumber('-0'), 0));
    assert.ok(Object.is(Number(exactNumber('-0.0')), -0));
  });

  it('are found outside of strings alone, at any place', () => {
    const text = '{"1.0": "a 1.0 \\" 2.0", "x": [1.0,-1.0e0, 3], "y":{"z":12345678901234567890}, "s": "\\\\"}';
    const value = parseExactJson(text);
    assert.deepEqual(plainNumbers(value), JSON.parse(text));
    const { x, y } = value as { readonly x: readonly unknown[]; readonly y: { readonly z: unknown } };
    assert.ok(x[0] instanceof Number && x[1] instanceof Number && x[2] === 3);
    assert.equal(y.z, 12345678901234567890n);
  });

  it('that are none are refused as JSON.parse refuses them', () => {
    for (const text of ['[01.5]', '[1.]', '[.5]', '[--1.5]', '[1.5x]', '{"a": 1.0', '[1.0 2.0]', '"1.0']) {
      let expected = '';
      try {
        JSON.parse(text);
      } catch (caught) {
        expected = (caught as Error).message;
      }
      assert.throws(() => parseExactJson(text), { name: 'SyntaxError', message: expected }, text);
    }
    assert.throws(() => parseExactJson(`[${'1'.repeat(5000)}]`), /an integer of 5000 digits; the most is 4300/);
  });

  it('name classes and weights as before', () => {
    assert.deepEqual(parseRecord('{"text": "a", "label": 1.0, "task": 2}', 'x:1'), { form: 'text', text: 'a', label: '1', task: '2' });
    const weighted = parseRecord('{"messages": [{"role": "assistant", "content": "b", "weight": 0.0}]}', 'x:1');
    assert.ok(weighted.form === 'messages');
    assert.equal(weighted.messages[0]!.weight, 0);
  });
});
