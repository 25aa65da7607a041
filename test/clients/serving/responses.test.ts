/**
 * `/v1/responses`, asked by OpenAI's client: items, events in their order, and conversations that
 * go on.
 */
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { inputMessages, withInstructions } from '../../../clients/typescript/serving/responses/input-items.js';
import { ResponseStore } from '../../../clients/typescript/serving/responses/response-store.js';
import { type ScriptedServer, startScripted } from '../../support/scripted-model.js';

const call = '<tool_call>{"name": "find", "arguments": {"part": "pump"}}</tool_call>';
const tools = [{ type: 'function' as const, name: 'find', parameters: { type: 'object' }, strict: false }, { type: 'web_search' as const }];

describe('responses', () => {
  let server: ScriptedServer;
  let openai: OpenAI;
  const start = async (pieces: readonly string[]) => {
    server = await startScripted({ pieces, template: '<tool_call>' }, { maxWaiting: 4 });
    openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
  };
  afterEach(() => server.close());

  it('are the text of the model, with usage, as one item', async () => {
    await start(['It is ', 'the pump.']);
    const response = await openai.responses.create({ model: 'scripted', input: 'Which part?', instructions: 'Be short.' });
    assert.equal(response.output_text, 'It is the pump.');
    assert.deepEqual([response.status, response.object, response.output.length], ['completed', 'response', 1]);
    const prompt = JSON.stringify([
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'Which part?' },
    ]);
    assert.deepEqual(
      [response.usage?.input_tokens, response.usage?.output_tokens, response.usage?.total_tokens],
      [prompt.length, 2, prompt.length + 2],
    );
  });

  it('come as events in their order, with text and calls as items of their own', async () => {
    await start(['Looking.', call, ' Done.']);
    const stream = await openai.responses.create({ model: 'scripted', input: 'Which part?', tools, stream: true });
    const events: OpenAI.Responses.ResponseStreamEvent[] = [];
    for await (const event of stream) events.push(event);
    const message = (deltas: number) => [
      'response.output_item.added',
      'response.content_part.added',
      ...Array.from({ length: deltas }, () => 'response.output_text.delta'),
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
    ];
    assert.deepEqual(
      events.map(({ type }) => type),
      [
        'response.created',
        'response.in_progress',
        ...message(1),
        'response.output_item.added',
        'response.function_call_arguments.delta',
        'response.function_call_arguments.done',
        'response.output_item.done',
        ...message(1),
        'response.completed',
      ],
    );
    assert.deepEqual(
      events.map(({ sequence_number }) => sequence_number),
      events.map((_, at) => at),
    );
    const last = events.at(-1)!;
    assert.ok(last.type === 'response.completed');
    assert.deepEqual(
      last.response.output.map(({ type }) => type),
      ['message', 'function_call', 'message'],
    );
    assert.deepEqual(
      last.response.tools.map(({ type }) => type),
      ['function'],
      'a tool of an unknown type is skipped',
    );
  });

  it('go on from an earlier one, which is in memory until it is deleted', async () => {
    await start([call]);
    const first = await openai.responses.create({ model: 'scripted', input: 'Which part?', tools });
    const [made] = first.output;
    assert.ok(made?.type === 'function_call');
    const output = { type: 'function_call_output' as const, call_id: made.call_id, output: 'pump' };
    const next = await openai.responses.create({ model: 'scripted', input: [output], previous_response_id: first.id });
    const conversation = JSON.stringify([
      { role: 'user', content: 'Which part?' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: made.call_id, type: 'function', function: { name: 'find', arguments: { part: 'pump' } } }],
      },
      { role: 'tool', tool_call_id: made.call_id, content: 'pump' },
    ]);
    assert.equal(next.usage?.input_tokens, conversation.length);
    assert.equal((await openai.responses.retrieve(first.id)).id, first.id);
    await openai.responses.delete(first.id);
    const gone = { status: 400, code: 'previous_response_not_found' };
    await assert.rejects(openai.responses.create({ model: 'scripted', input: 'And?', previous_response_id: first.id }), gone);
    const unstored = await openai.responses.create({ model: 'scripted', input: 'x', store: false });
    await assert.rejects(openai.responses.retrieve(unstored.id), { status: 404 });
  });

  it('take the fields of the Codex CLI: its own marks change no answer, and its tools of other types are skipped', async () => {
    await start(['It is the pump.']);
    const body = {
      ...{ model: 'scripted', stream: false, tool_choice: 'auto', parallel_tool_calls: true, reasoning: { summary: 'auto' }, store: false },
      ...{ include: ['reasoning.encrypted_content'], prompt_cache_key: 'k', client_metadata: { turn: '1' } },
      input: [
        { type: 'message', id: 'msg_1', role: 'developer', content: [{ type: 'input_text', text: 'Be short.' }] },
        { type: 'message', id: 'msg_2', role: 'user', content: [{ type: 'input_text', text: 'Which part?' }] },
      ],
      tools: [...tools, { type: 'namespace', name: 'agents', description: 'x', tools }],
    };
    const answer = await openai.post<OpenAI.Responses.Response>('/responses', { body });
    assert.equal(answer.status, 'completed');
  });

  it('refuse what they do not do, by name', async () => {
    await start(['x']);
    const refused = (more: object, param: string) =>
      assert.rejects(
        openai.responses.create({ model: 'scripted', input: 'x', ...more } as OpenAI.Responses.ResponseCreateParamsNonStreaming),
        { status: 400, param },
      );
    await refused({ text: { format: { type: 'json_schema' } } }, 'text.format.schema');
    await refused({ text: { format: { type: 'xml' } } }, 'text.format.type');
    await refused({ text: { verbosity: 'low' } }, 'text.verbosity');
    await refused({ background: true }, 'background');
    await refused({ client_data: {} }, 'client_data');
    await refused({ input: [{ role: 'user', content: [{ type: 'input_image' }] }] }, 'input[0].content[0]');
    await refused({ input: [{ type: 'item_reference', id: 'x' }] }, 'input[0].type');
    await refused({ tools, tool_choice: { type: 'function', name: 'other' } }, 'tool_choice');
  });
});

describe('the conversation of a response', () => {
  it('has one system message at its beginning, and skips reasoning', () => {
    const messages = inputMessages([
      { role: 'developer', content: 'Be kind.' },
      { type: 'reasoning', summary: [] },
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'a' },
          { type: 'input_text', text: 'b' },
        ],
      },
    ]);
    assert.deepEqual(withInstructions('Be short.', messages), [
      { role: 'system', content: 'Be short.\n\nBe kind.' },
      { role: 'user', content: 'ab' },
    ]);
  });

  it('is kept within bounds: the oldest make room', () => {
    const store = new ResponseStore({ maxBytes: 1000, maxEntries: 3 });
    const stored = { response: {}, messages: [{ role: 'user', content: 'x'.repeat(100) }] };
    for (const id of ['a', 'b', 'c', 'd']) store.put(id, stored);
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((id) => store.get(id) !== undefined),
      [false, true, true, true],
    );
    store.put('large', { response: {}, messages: [{ role: 'user', content: 'x'.repeat(5000) }] });
    assert.equal(store.get('d'), undefined);
    assert.equal(store.get('large'), undefined, 'what does not fit alone is not kept');
  });
});
