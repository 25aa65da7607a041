/** `/v1/messages`: blocks in and out, events in their order, errors in the shape of that API. */
import assert from 'node:assert/strict';
import { turnMessages } from '../../../clients/typescript/serving/messages/message-turns.js';
import { type ScriptedServer, startScripted } from '../../support/scripted-model.js';

const call = '<tool_call>{"name": "find", "arguments": {"part": "pump"}}</tool_call>';
const tools = [{ name: 'find', description: 'Finds a part.', input_schema: { type: 'object' } }];
const turn = { role: 'user', content: 'Which part?' };
const asked = { model: 'scripted', max_tokens: 50, messages: [turn] };

describe('messages', () => {
  let server: ScriptedServer;
  const start = async (pieces: readonly string[], stop?: string) => {
    const script = { pieces, template: '<tool_call>', ...(stop !== undefined && { stop }) };
    server = await startScripted(script, { maxWaiting: 4, key: 'k'.repeat(24) });
  };
  const post = (body: object, headers: Record<string, string> = { 'x-api-key': 'k'.repeat(24) }) =>
    fetch(`${server.url}/v1/messages`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'anthropic-version': '2023-06-01', ...headers },
    });
  const count = (body: object) =>
    fetch(`${server.url}/v1/messages/count_tokens`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'x-api-key': 'k'.repeat(24) },
    });
  const ask = async (body: object) => (await (await post(body)).json()) as Record<string, unknown>;
  afterEach(() => server.close());

  it('are the text of the model as one block, with usage', async () => {
    await start(['It is ', 'the pump.']);
    const prompt = JSON.stringify([{ role: 'system', content: 'Be short.' }, turn]);
    assert.deepEqual(await ask({ ...asked, system: 'Be short.' }), {
      ...{ id: 'msg_0', type: 'message', role: 'assistant', model: 'scripted' },
      content: [{ type: 'text', text: 'It is the pump.', citations: null }],
      ...{ stop_reason: 'end_turn', stop_sequence: null },
      usage: { input_tokens: prompt.length, output_tokens: 2, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 },
    });
  });

  it('come as events in their order, with text and calls as blocks of their own', async () => {
    await start(['Looking.', call, ' Done.']);
    const answer = await post({ ...asked, tools, stream: true });
    assert.match(answer.headers.get('content-type')!, /^text\/event-stream/);
    const events = (await answer.text())
      .trim()
      .split('\n\n')
      .map((event) => /^event: (\w+)\ndata: (.*)$/.exec(event)!)
      .map(([, name, data]) => ({ name, data: JSON.parse(data!) as Record<string, unknown> & { readonly type: string } }));
    for (const { name, data } of events) assert.equal(name, data.type);
    const block = ['content_block_start', 'content_block_delta', 'content_block_stop'];
    assert.deepEqual(
      events.map(({ name }) => name),
      ['message_start', ...block, ...block, ...block, 'message_delta', 'message_stop'],
    );
    assert.deepEqual(
      events.flatMap(({ data }) => (data.type === 'content_block_delta' ? [[data.index, data.delta]] : [])),
      [
        [0, { type: 'text_delta', text: 'Looking.' }],
        [1, { type: 'input_json_delta', partial_json: '{"part":"pump"}' }],
        [2, { type: 'text_delta', text: ' Done.' }],
      ],
    );
    const { message } = events[0]!.data as unknown as { readonly message: { readonly content: object[]; readonly stop_reason: null } };
    assert.deepEqual([message.content, message.stop_reason], [[], null]);
    const end = events.at(-2)!.data as unknown as { readonly delta: object; readonly usage: { readonly output_tokens: number } };
    assert.deepEqual([end.delta, end.usage.output_tokens], [{ stop_reason: 'tool_use', stop_sequence: null }, 3]);
  });

  it('name calls of tools and the stop sequence that ended a text', async () => {
    await start([call, 'more']);
    const { content, stop_reason } = await ask({ ...asked, tools, tool_choice: { type: 'auto', disable_parallel_tool_use: true } });
    assert.deepEqual([content, stop_reason], [[{ type: 'tool_use', id: 'toolu_0', name: 'find', input: { part: 'pump' } }], 'tool_use']);
    await server.close();
    await start(['It is'], ' the');
    const stopped = await ask({ ...asked, stop_sequences: [' the'] });
    assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ['stop_sequence', ' the']);
  });

  it('are counted as the prompt that they would have, without being answered', async () => {
    await start(['a']);
    const { max_tokens: _, ...counted } = { ...asked, system: 'Be short.', tools };
    const { usage } = (await ask({ ...counted, max_tokens: 5 })) as { readonly usage: { readonly input_tokens: number } };
    const answer = await count(counted);
    assert.deepEqual([answer.status, await answer.json()], [200, { input_tokens: usage.input_tokens }]);
    const without = (await (await count({ ...counted, tool_choice: { type: 'none' } })).json()) as typeof usage;
    assert.ok(without.input_tokens < usage.input_tokens);
    for (const [wrong, message] of [
      [asked, 'max_tokens: not a field of messages/count_tokens'],
      [{ ...counted, model: undefined }, 'model: expected a value, got none'],
      [{ ...counted, messages: [] }, 'messages: expected a list'],
    ] as const) {
      const { error } = (await (await count(wrong)).json()) as { readonly error: { readonly message: string } };
      assert.ok(error.message.startsWith(message), error.message);
    }
  });

  it('take strict tools where the arguments are held to their schema', async () => {
    await start([call]);
    const strict = { ...asked, tools: [{ ...tools[0], strict: true }] };
    for (const type of ['any', 'none']) assert.equal((await post({ ...strict, tool_choice: { type } })).status, 200, type);
    for (const tool_choice of [undefined, { type: 'auto' }]) assert.equal((await post({ ...strict, tool_choice })).status, 400);
  });

  it('take blocks of text, calls and their results as turns of the chat template', async () => {
    await start(['a']);
    const turns = [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'One', cache_control: { type: 'ephemeral' } },
          { type: 'text', text: 'two' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'hm', signature: 's' },
          { type: 'text', text: 'Looking.', citations: null },
          { type: 'tool_use', id: 't1', name: 'find', input: { part: 'pump' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 't1', content: [{ type: 'text', text: 'none' }], is_error: true },
          { type: 'text', text: 'And now?' },
        ],
      },
    ];
    assert.deepEqual(
      turnMessages(turns, [
        { type: 'text', text: 'Be short.' },
        { type: 'text', text: 'Be kind.' },
      ]),
      [
        { role: 'system', content: 'Be short.\n\nBe kind.' },
        { role: 'user', content: 'One\n\ntwo' },
        {
          ...{ role: 'assistant', content: 'Looking.' },
          tool_calls: [{ id: 't1', type: 'function', function: { name: 'find', arguments: { part: 'pump' } } }],
        },
        { role: 'tool', tool_call_id: 't1', content: 'none', is_error: true },
        { role: 'user', content: 'And now?' },
      ],
    );
  });

  it('refuse by name what would change an answer, in the shape of that API', async () => {
    await start(['a']);
    const user = (block: object) => ({ messages: [{ role: 'user', content: [block] }] });
    const assistant = (block: object) => ({ messages: [{ role: 'assistant', content: [block] }, turn] });
    const wrong: readonly (readonly [object, string])[] = [
      [{ max_tokens: undefined }, 'max_tokens: expected a value, got none'],
      [{ max_tokens: 0 }, 'max_tokens: expected a whole number from 1'],
      [{ max_tokens: 5000 }, 'max_tokens: '],
      [{ max_completion_tokens: 3 }, 'max_completion_tokens: not a field of messages'],
      [{ thinking: { type: 'enabled', budget_tokens: 2000 } }, 'thinking: not supported here'],
      [{ container: 'c' }, 'container: not supported here'],
      [{ mcp_servers: [{ url: 'x' }] }, 'mcp_servers: not supported here'],
      [{ output_config: { effort: 'low' } }, 'output_config.effort: not supported here'],
      [{ output_config: { format: { type: 'xml' } } }, 'output_config.format.type: expected'],
      [{ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools[0].type: not supported here'],
      [{ tools: [{ name: 'find' }] }, 'tools[0].input_schema: expected a JSON schema'],
      [{ tools: [{ ...tools[0], strict: true }] }, 'tools[0].strict: not supported here'],
      [{ tools, tool_choice: { type: 'tool' } }, 'tool_choice: expected'],
      [{ tools, tool_choice: { type: 'tool', name: 'other' } }, 'tool_choice: expected one of the names'],
      [{ tool_choice: { type: 'any' } }, 'tool_choice: expected tools beside it'],
      [{ system: [{ type: 'image' }] }, 'system[0].type: expected a block of text'],
      [{ messages: [] }, 'messages: expected a list with at least one message'],
      [{ messages: [{ role: 'system', content: 'x' }] }, 'messages[0].role: expected user or assistant'],
      [{ messages: [turn, { role: 'assistant', content: 'It is' }] }, "messages: expected the user's turn as the last one"],
      [{ messages: [{ ...turn, name: 'me' }] }, 'messages[0].name: not a field of a message'],
      [user({ type: 'image', source: {} }), 'messages[0].content[0].type: expected a block of text here, got "image"'],
      [user({ type: 'text', text: 'a', citations: [{}] }), 'messages[0].content[0].citations: not supported here'],
      [user({ type: 'tool_result', content: 'x' }), 'messages[0].content[0].tool_use_id: expected'],
      [assistant({ type: 'tool_use', id: 'a', name: 'find', input: '{}' }), 'messages[0].content[0].input: expected an object'],
    ];
    for (const [more, message] of wrong) {
      const answer = await post({ ...asked, ...more });
      const { type, error } = (await answer.json()) as {
        readonly type: string;
        readonly error: { readonly type: string; readonly message: string };
      };
      assert.deepEqual([answer.status, type, error.type], [400, 'error', 'invalid_request_error'], message);
      assert.ok(error.message.startsWith(message), `${error.message} is not ${message}`);
    }
    const { status } = await post({
      ...asked,
      metadata: { user_id: 'a' },
      thinking: { type: 'disabled' },
      service_tier: 'auto',
      top_k: null,
    });
    assert.equal(status, 200);
  });

  it('take the key as x-api-key or as a bearer, and no other', async () => {
    await start(['a']);
    const problem = async (headers: Record<string, string>) => {
      const answer = await post(asked, headers);
      return [answer.status, ((await answer.json()) as { readonly error?: { readonly type: string } }).error?.type];
    };
    assert.deepEqual(await problem({}), [401, 'authentication_error']);
    assert.deepEqual(await problem({ 'x-api-key': 'wrong' }), [401, 'authentication_error']);
    assert.deepEqual(await problem({ 'x-api-key': 'k'.repeat(24), authorization: 'Bearer wrong' }), [401, 'authentication_error']);
    assert.deepEqual(await problem({ authorization: `Bearer ${'k'.repeat(24)}` }), [200, undefined]);
  });

  it('end a stream that fails in its midst with an event that holds the error', async () => {
    let pieces = 0;
    const before = () => (pieces++ === 0 ? Promise.resolve() : Promise.reject(new Error('a secret of the process')));
    server = await startScripted({ pieces: ['a', 'b'], before });
    const text = await (await post({ ...asked, stream: true })).text();
    const last = /event: error\ndata: (.*)\n\n$/.exec(text);
    const { type, error } = JSON.parse(last![1]!) as { readonly type: string; readonly error: { readonly type: string } };
    assert.deepEqual([type, error.type], ['error', 'api_error']);
    assert.ok(!text.includes('a secret'));
  });
});
