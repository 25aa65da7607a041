/** Bodies of requests to the local endpoint: values of known fields, or a typed error; tool calls in any text. */
import assert from 'node:assert/strict';
import { shownJson } from '../../../clients/typescript/data/exact-numbers.js';
import type { ContinuationOptions } from '../../../clients/typescript/inference/continuation.js';
import { constraintGrammar } from '../../../clients/typescript/inference/grammar/constraint.js';
import { chatPrompt, requestMessages } from '../../../clients/typescript/serving/chat/chat-prompt.js';
import { heldOptions } from '../../../clients/typescript/serving/chat/text-format.js';
import { promptsOf } from '../../../clients/typescript/serving/completions/prompts.js';
import { chatFields } from '../../../clients/typescript/serving/fields/chat-fields.js';
import { completionFields } from '../../../clients/typescript/serving/fields/completion-fields.js';
import { embeddingFields } from '../../../clients/typescript/serving/fields/embedding-fields.js';
import { readFields } from '../../../clients/typescript/serving/fields/field.js';
import { fieldTables } from '../../../clients/typescript/serving/fields/field-tables.js';
import { messageFields } from '../../../clients/typescript/serving/fields/message-fields.js';
import { responseFields } from '../../../clients/typescript/serving/fields/response-fields.js';
import { continuationOptions } from '../../../clients/typescript/serving/fields/sampling-fields.js';
import { type Body, readBody } from '../../../clients/typescript/serving/http/json-body.js';
import { functionsOf, toolChoiceOf } from '../../../clients/typescript/serving/messages/message-tools.js';
import { turnMessages } from '../../../clients/typescript/serving/messages/message-turns.js';
import type { TextModel } from '../../../clients/typescript/serving/model/text-model.js';
import { inputMessages, withInstructions } from '../../../clients/typescript/serving/responses/input-items.js';
import { checkFunctions } from '../../../clients/typescript/serving/tools/request-tools.js';
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
  {
    model: 'm',
    messages: [{ role: 'user', content: 'a' }],
    response_format: { type: 'json_schema', json_schema: { name: 's', schema: { type: 'object', properties: { a: { enum: ['b'] } } } } },
  },
  {
    model: 'm',
    messages: [{ role: 'user', content: 'a' }],
    tools: functions,
    tool_choice: { type: 'function', function: { name: 'find' } },
  },
  { model: 'm', input: 'a', text: { format: { type: 'json_schema', schema: { anyOf: [{ type: 'integer' }, { $ref: '#' }] } } } },
  { model: 'm', input: [[1, 2], [3]], encoding_format: 'base64', pooling: 'last' },
  'text <tool_call>{"name": "find", "arguments": {"a": 1}}</tool_call> and <tool_ca',
];

/** A model that renders what it is given, and reads constraints without a thread. */
const model = {
  vocabSize: 100,
  templateOf: () => '<tool_call>',
  render: (conversation: object) => shownJson(conversation) ?? '',
  encode: (text: string) => [...Buffer.from(text)].map((byte) => byte % 100),
  promptIds: (text: string) => [...Buffer.from(text)].map((byte) => byte % 100),
  checkConstraint: async ({ constraint }: ContinuationOptions) => void (constraint && constraintGrammar(constraint)),
} as unknown as TextModel; // what the readers use of one

/** What a table's endpoint makes of a body beside its fields. */
async function readBeyond(path: string, body: Body): Promise<void> {
  if (path === '/v1/chat/completions') {
    const values = readFields(chatFields, body, path);
    const options = continuationOptions(values, 100, () => 1);
    const messages = requestMessages(body.messages);
    checkFunctions(values.tools ?? []);
    const prompt = chatPrompt(model, messages, values);
    await heldOptions(model, { value: values.response_format, param: 'response_format', schemaIn: 'json_schema' }, prompt, options);
  }
  if (path === '/v1/messages') {
    const { messages, system, tools, tool_choice } = readFields(messageFields, body, path);
    functionsOf(tools, false);
    toolChoiceOf(tool_choice);
    if (messages !== undefined) turnMessages(messages, system);
  }
  if (path === '/v1/responses') {
    const { input, text } = readFields(responseFields, body, path);
    if (input !== undefined) withInstructions('i', inputMessages(input));
    const { format } = (text ?? {}) as { readonly format?: unknown };
    await heldOptions(model, { value: format, param: 'text.format' }, { ids: [], form: undefined, forced: undefined }, {});
  }
  if (path === '/v1/completions') {
    const { prompt } = readFields(completionFields, body, path);
    if (prompt !== undefined) promptsOf(prompt, model, 'prompt');
  }
  if (path === '/v1/embeddings') {
    const { input } = readFields(embeddingFields, body, path);
    if (input !== undefined) promptsOf(input, model, 'input');
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
  async run(input) {
    readCalls(Buffer.from(input).toString());
    const body = readBody(input);
    const refusals: CutlayerError[] = [];
    for (const [path, table] of Object.entries(fieldTables)) {
      try {
        readFields(table, body, path);
        await readBeyond(path, body);
      } catch (caught) {
        // A body is for one endpoint, and the others refuse it.
        if (!(caught instanceof CutlayerError) || caught.code === 'INTERNAL') throw caught;
        refusals.push(caught);
      }
    }
    if (refusals.length === Object.keys(fieldTables).length) throw refusals[0];
  },
};
