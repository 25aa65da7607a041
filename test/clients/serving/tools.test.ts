/** Tool calls: rendered by the checkpoint's template, parsed back from the model's text. */
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { toolCallReader } from '../../../clients/typescript/serving/tools/tool-calls.js';
import { type ToolForm, toolFormOf } from '../../../clients/typescript/serving/tools/tool-form.js';
import { type ScriptedServer, startScripted } from '../../support/scripted-model.js';

/** All that a reader makes of a text that comes in pieces. */
function read(form: ToolForm, pieces: readonly string[]) {
  const reader = toolCallReader(form);
  const found = [...pieces.map((piece) => reader.push(piece)), reader.finish()];
  return { text: found.map(({ text }) => text).join(''), calls: found.flatMap(({ calls }) => calls) };
}

const call = '<tool_call>\n{"name": "find", "arguments": {"part": "pump", "depth": 2}}\n</tool_call>';
const found = { name: 'find', arguments: '{"part":"pump","depth":2}' };

describe('tool calls in a text', () => {
  const cases: Readonly<Record<string, readonly [form: ToolForm, text: string, rest: string, calls: readonly object[]]>> = {
    'one tagged call': ['tagged', call, '', [found]],
    'text, then two calls': ['tagged', `I will look.\n${call}\n${call}\n`, 'I will look.', [found, found]],
    'a tag that is no call': ['tagged', 'see <tool_call>{"name": 1}</tool_call>.', 'see <tool_call>{"name": 1}</tool_call>.', []],
    'a call that is cut off': ['tagged', 'a <tool_call>{"name": "find"', 'a <tool_call>{"name": "find"', []],
    'the beginning of a tag': ['tagged', 'a < b <tool_ca ', 'a < b <tool_ca ', []],
    'text alone, with its white space': ['tagged', '\n a \n\n b \n', '\n a \n\n b \n', []],
    'an object': ['object', '{"name": "find", "parameters": {"part": "pump", "depth": 2}}', '', [found]],
    'two objects': [
      'object',
      '{"name": "a", "parameters": {}}; {"name": "b", "parameters": {}}',
      '',
      [
        { name: 'a', arguments: '{}' },
        { name: 'b', arguments: '{}' },
      ],
    ],
    'an object that is no call': ['object', ' {"answer": 42}', ' {"answer": 42}', []],
    'text where an object may be': ['object', ' No. {"name": "find"}', ' No. {"name": "find"}', []],
  };
  for (const [name, [form, text, rest, calls]] of Object.entries(cases)) {
    it(`are found whatever the pieces: ${name}`, () => {
      for (const size of [1, 2, 3, 7, text.length]) {
        const pieces = text.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g'))!;
        assert.deepEqual(read(form, pieces), { text: rest, calls }, `in pieces of ${size}`);
      }
    });
  }

  it('that never end are text, whole, and one whose end comes late is a call', () => {
    const long = `<tool_call>{"name": "find", "arguments": {"a": "${'x <tool_call '.repeat(20_000)}`;
    const read = (text: string) => {
      const reader = toolCallReader('tagged');
      const found = [...(text.match(/[\s\S]{1,5}/g) ?? []).map((piece) => reader.push(piece)), reader.finish()];
      return { text: found.map((piece) => piece.text).join(''), calls: found.flatMap(({ calls }) => calls) };
    };
    assert.deepEqual(read(`a ${long}`), { text: `a ${long}`, calls: [] });
    assert.deepEqual(
      read(`a ${long}"}}</tool_call>`).calls.map(({ name }) => name),
      ['find'],
    );
    const spaces = ' '.repeat(10_000);
    assert.deepEqual(read(`a${spaces}b`), { text: `a${spaces}b`, calls: [] });
  });

  it('have the form that the template shows; other forms are refused by name', () => {
    assert.equal(toolFormOf('… <tool_call>\\n{"name": … }</tool_call>'), 'tagged');
    assert.equal(toolFormOf('Respond in the format {"name": function name, "parameters": dictionary}.'), 'object');
    for (const [template, name] of [
      ['[TOOL_CALLS]', /Mistral/],
      ['<tool_call>\n<function=x>', /Qwen3-Coder/],
      ['{{ messages }}', /does not say/],
    ] as const)
      assert.throws(() => toolFormOf(template), { code: 'INVALID_ARGUMENT', message: name });
  });
});

describe('tool calls of a chat', () => {
  let server: ScriptedServer;
  let openai: OpenAI;
  const ends: boolean[] = [];
  before(async () => {
    const pieces = [
      'Looking',
      '.\n<tool',
      `_call>{"name": "find", "arguments": {"part": "pump"}}</tool_call>`,
      '\n<tool_call>{"name": "stop", "arguments": {}}',
      '</tool_call>',
    ];
    server = await startScripted({ pieces, template: '<tool_call>', onEnd: (whole) => ends.push(whole) });
    openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  after(() => server.close());
  const request = {
    model: 'scripted',
    messages: [{ role: 'user' as const, content: 'Which part?' }],
    tools: [{ type: 'function' as const, function: { name: 'find', parameters: { type: 'object' } } }],
  };

  it('come as calls, with the text before them', async () => {
    const { choices } = await openai.chat.completions.create(request);
    const { message, finish_reason } = choices[0]!;
    assert.equal(finish_reason, 'tool_calls');
    assert.equal(message.content, 'Looking.');
    assert.deepEqual(
      message.tool_calls?.map((own) => (own.type === 'function' ? own.function : own)),
      [
        { name: 'find', arguments: '{"part":"pump"}' },
        { name: 'stop', arguments: '{}' },
      ],
    );
  });

  it('come in a stream that the client of OpenAI puts together to the same', async () => {
    const streamed = await openai.chat.completions.stream(request).finalChatCompletion();
    const whole = await openai.chat.completions.create(request);
    const shown = ({ choices }: OpenAI.ChatCompletion) =>
      choices.map(({ message: { content, tool_calls }, finish_reason }) => ({
        content,
        finish_reason,
        calls: tool_calls?.map((own) => own.type === 'function' && [own.function.name, own.function.arguments]),
      }));
    assert.deepEqual(shown(streamed), shown(whole));
  });

  it('are one where the client wants no more, and none where it wants none', async () => {
    const one = await openai.chat.completions.create({ ...request, parallel_tool_calls: false });
    assert.equal(one.choices[0]!.message.tool_calls?.length, 1);
    assert.equal(one.choices[0]!.finish_reason, 'tool_calls');
    assert.equal(ends.at(-1), false, 'the model is asked for no more');
    const none = await openai.chat.completions.create({ ...request, tool_choice: 'none' });
    assert.equal(none.choices[0]!.message.tool_calls, undefined);
    assert.match(none.choices[0]!.message.content!, /<tool_call>/);
    const other = { type: 'function' as const, function: { name: 'other' } };
    await assert.rejects(openai.chat.completions.create({ ...request, tool_choice: other }), { status: 400, param: 'tool_choice' });
    const format = { type: 'json_object' as const };
    await assert.rejects(openai.chat.completions.create({ ...request, response_format: format }), {
      status: 400,
      param: 'response_format',
    });
  });

  it('are refused as strict where nothing holds their arguments', async () => {
    const [tool] = request.tools;
    const strict = { ...request, tools: [{ ...tool!, function: { ...tool!.function, strict: true } }] };
    await assert.rejects(openai.chat.completions.create(strict), { status: 400, param: 'tools', message: /"strict" of "find"/ });
    assert.ok(await openai.chat.completions.create({ ...strict, tool_choice: 'none' }));
  });
});
