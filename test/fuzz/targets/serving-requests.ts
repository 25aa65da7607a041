/** Bodies of requests to the local endpoint: values of known fields, or a typed error; tool calls in any text. */
import assert from 'node:assert/strict';
import { requestMessages } from '../../../clients/typescript/serving/chat/chat-prompt.js';
import { chatFields } from '../../../clients/typescript/serving/fields/chat-fields.js';
import { readFields } from '../../../clients/typescript/serving/fields/field.js';
import { fieldTables } from '../../../clients/typescript/serving/fields/field-tables.js';
import { messageFields } from '../../../clients/typescript/serving/fields/message-fields.js';
import { responseFields } from '../../../clients/typescript/serving/fields/response-fields.js';
import { continuationOptions } from '../../../clients/typescript/serving/fields/sampling-fields.js';
import { type Body, readBody } from '../../../clients/typescript/serving/http/json-body.js';
import { functionsOf, toolChoiceOf } from '../../../clients/typescript/serving/messages/message-tools.js';
import { turnMessages } from '../../../clients/typescript/serving/messages/message-turns.js';
import { inputMessages, withInstructions } from '../../../clients/typescript/serving/responses/input-items.js';
import { toolCallReader } from '../../../clients/typescript/serving/tools/tool-calls.js';
import { CutlayerError } from '../../../src/errors.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';

const functions = [{ type: 'function', function: { name: 'find', parameters: { type: 'object' } } }];
const call = { id: 'a', type: 'function', function: { name: 'find', arguments: '{"part": 1.0}' } };

/** One of each endpoint, and the text of an answer with a call. */
const documents = [
  {
    model: 'm',
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'a' }] },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', content: 'b' },
    ],
    ...{
      tools: functions,
      tool_choice: 'auto',
      n: 2,
      stop: ['a'],
      logit_bias: { 5: 1.5 },
      stream_options: { include_usage: true },
      stream: true,
    },
  },
  { model: 'm', prompt: [[1, 2]], echo: true, logprobs: 3, max_tokens: 4, seed: -3, top_k: -1, suffix: null },
  {
    ...{ model: 'm', instructions: 'i', tools: [{ type: 'function', name: 'find' }, { type: 'other' }] },
    input: [
      { role: 'developer', content: [{ type: 'input_text', text: 'a' }] },
      { type: 'function_call', call_id: 'a', name: 'find', arguments: '{}' },
      { type: 'function_call_output', call_id: 'a', output: 'b' },
    ],
  },
  {
    ...{ model: 'm', max_tokens: 9, stop_sequences: ['a'], tool_choice: { type: 'tool', name: 'find', disable_parallel_tool_use: true } },
    tools: [{ name: 'find', input_schema: { type: 'object' } }],
    system: [{ type: 'text', text: 'a', cache_control: { type: 'ephemeral' } }],
    messages: [
      { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'find', input: { part: 1.5 } }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 'b' }], is_error: false }] },
    ],
  },
  'text <tool_call>{"name": "find", "arguments": {"a": 1}}</tool_call> and <tool_ca',
];

/** What a table's endpoint makes of a body beside its fields. */
function readBeyond(path: string, body: Body): void {
  if (path === '/v1/chat/completions') {
    continuationOptions(readFields(chatFields, body, path), 100, () => 1);
    requestMessages(body.messages);
  }
  if (path === '/v1/messages') {
    const { messages, system, tools, tool_choice } = readFields(messageFields, body, path);
    functionsOf(tools);
    toolChoiceOf(tool_choice);
    if (messages !== undefined) turnMessages(messages, system);
  }
  if (path === '/v1/responses') {
    const { input } = readFields(responseFields, body, path);
    if (input !== undefined) withInstructions('i', inputMessages(input));
  }
}

/** What is no call stays text. */
function readCalls(text: string): void {
  for (const form of ['tagged', 'object'] as const) {
    const reader = toolCallReader(form);
    const pieces = text.match(/[\s\S]{1,7}/g) ?? [];
    const found = [...pieces.map((piece) => reader.push(piece)), reader.finish()];
    if (found.every(({ calls }) => calls.length === 0)) assert.equal(found.map((piece) => piece.text).join(''), text);
  }
}

export const target: Target = {
  examples: documents.map((document) => Buffer.from(JSON.stringify(document))),
  made: editedJson(documents),
  words: ['"type":"function_call"', '"logit_bias":{"', '<tool_call>', '</tool_call>', '"content":[', 'null', '1e999', '"__proto__":'],
  run(input) {
    readCalls(Buffer.from(input).toString());
    const body = readBody(input);
    const refusals = Object.entries(fieldTables).flatMap(([path, table]) => {
      try {
        readFields(table, body, path);
        readBeyond(path, body);
        return [];
      } catch (caught) {
        // A body is for one endpoint, and the others refuse it.
        if (!(caught instanceof CutlayerError) || caught.code === 'INTERNAL') throw caught;
        return [caught];
      }
    });
    if (refusals.length === Object.keys(fieldTables).length) throw refusals[0];
  },
};
