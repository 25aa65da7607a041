/** Answers of the local endpoint that are held to JSON, a schema or a call, asked by OpenAI's client. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { forcedCall } from '../../../clients/typescript/serving/tools/forced-call.js';
import { toolCallReader } from '../../../clients/typescript/serving/tools/tool-calls.js';
import { pack } from '../../../src/compiler/pack/pack.js';
import { withVariant } from '../../support/checkpoint-variant.js';
import { thorough } from '../../support/exhaustive.js';
import { drawnTexts } from '../../support/grammar-walk.js';
import { packedOnce } from '../../support/packed-fixture.js';
import { fixtureDir } from '../../support/packed-model.js';
import { type ServingRig, startServingRig } from '../../support/serving-rig.js';

const TEMPLATE =
  "{{ bos_token }}{% if tools %}{{ tools | tojson }} <tool_call>{% endif %}{% for m in messages %}{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}assistant\n";
const schema = {
  type: 'object',
  properties: { part: { enum: ['valve', 'bearing'] }, count: { type: 'integer', minimum: 1, maximum: 9 } },
  required: ['part', 'count'],
  additionalProperties: false,
};

describe('an answer of the local endpoint', () => {
  let rig: ServingRig;
  const request = { model: 'base', messages: [{ role: 'user' as const, content: 'Which part?' }], max_tokens: 150, seed: 3 };
  before(async () => {
    const config = JSON.parse(readFileSync(join(fixtureDir('llama-tiny'), 'tokenizer_config.json'), 'utf8')) as object;
    const files = {
      'tokenizer.json': readFileSync(join(fixtureDir('llama-tiny'), 'tokenizer.json')),
      'tokenizer_config.json': JSON.stringify({ ...config, chat_template: TEMPLATE }),
    };
    const fixture = await packedOnce('packed-llama-tiny-calls', (outDir) =>
      withVariant('llama-tiny', { config: { max_position_embeddings: 4096 }, files }, (checkpointDir) =>
        pack({ checkpointDir, outDir, bottom: 0, top: 0 }),
      ),
    );
    rig = await startServingRig({ fixture });
  });
  after(() => rig?.close());

  const fits = (text: string | null): void => {
    const { part, count } = JSON.parse(text ?? '') as { readonly part: string; readonly count: number };
    assert.ok(['valve', 'bearing'].includes(part) && Number.isInteger(count) && count >= 1 && count <= 9, text ?? '');
  };

  it('fits the schema of response_format, whole and as a stream', async () => {
    const response_format = { type: 'json_schema' as const, json_schema: { name: 'part', strict: true, schema } };
    const { choices } = await rig.openai.chat.completions.create({ ...request, response_format, n: 2 });
    for (const { message, finish_reason } of choices) {
      assert.equal(finish_reason, 'stop');
      fits(message.content);
    }
    let text = '';
    for await (const chunk of await rig.openai.chat.completions.create({ ...request, response_format, stream: true }))
      text += chunk.choices[0]?.delta.content ?? '';
    fits(text);
  });

  it('fits it also where a stop token is a piece of such texts: it comes at the end alone', async () => {
    const five = rig.bundle.tokenizer.encode('5').at(-1)!;
    const body = { ...request, logit_bias: { [five]: 100 }, stop_token_ids: [five] };
    const response_format = { type: 'json_schema' as const, json_schema: { name: 'part', strict: true, schema } };
    const { choices } = await rig.openai.chat.completions.create({ ...body, response_format });
    assert.equal(choices[0]!.finish_reason, 'stop');
    fits(choices[0]!.message.content);
  });

  it('is refused where every token that it needs ends a text', async () => {
    const ids = Array.from({ length: rig.bundle.vocabSize }, (_, id) => id);
    const needed = rig.bundle.tokenizer.bytesOf(ids).flatMap((bytes, id) => (Buffer.from(bytes).includes('p') ? [id] : []));
    const response_format = { type: 'json_schema' as const, json_schema: { name: 'part', strict: true, schema } };
    await assert.rejects(rig.openai.chat.completions.create({ ...request, stop_token_ids: needed, response_format } as typeof request), {
      status: 400,
      message: /constraint: no token can go on with the text, .*stop token ids/,
    });
  });

  thorough('fits the schema of text.format in the Responses API', async () => {
    const text = { format: { type: 'json_schema' as const, name: 'part', schema } };
    const { output_text } = await rig.openai.responses.create({ model: 'base', input: 'Which part?', max_output_tokens: 150, text });
    fits(output_text);
  });

  it('begins an object for json_object', async () => {
    const { choices } = await rig.openai.chat.completions.create({ ...request, response_format: { type: 'json_object' } });
    assert.match(choices[0]!.message.content!, /^\{/);
  });

  it('is one call with fitting arguments where the request forces it', async () => {
    const parameters = { type: 'object', properties: { n: { type: 'integer', maximum: 9, minimum: 1 } }, required: ['n'] };
    const tools = ['f', 'g'].map((name) => ({ type: 'function' as const, function: { name, parameters } }));
    const tool_choice = { type: 'function' as const, function: { name: 'g' } };
    const { choices } = await rig.openai.chat.completions.create({ ...request, tools, tool_choice });
    const [{ message, finish_reason }] = choices as [(typeof choices)[0]];
    assert.equal(finish_reason, 'tool_calls');
    const [call] = message.tool_calls!;
    assert.ok(call?.type === 'function' && call.function.name === 'g');
    assert.match(call.function.arguments, /^\{"n":[1-9]\}$/);
  });

  thorough('is one call of any function in either form where a call is required', async () => {
    const tools = ['look_up', 'order'].map((name) => ({ type: 'function', function: { name, parameters: schema } }));
    for (const form of ['tagged', 'object'] as const)
      for (const text of await drawnTexts(forcedCall(tools, 'required', form), 6)) {
        const reader = toolCallReader(form);
        const calls = [...reader.push(text).calls, ...reader.finish().calls];
        assert.equal(calls.length, 1);
        assert.ok(['look_up', 'order'].includes(calls[0]!.name));
        fits(calls[0]!.arguments);
      }
  });

  it('is refused with the keyword that cannot be enforced', async () => {
    const bad = { ...schema, properties: { part: { type: 'string', maxWords: 3 } } };
    const response_format = { type: 'json_schema' as const, json_schema: { name: 'part', schema: bad } };
    for (const stream of [false, true])
      await assert.rejects(rig.openai.chat.completions.create({ ...request, response_format, stream }), {
        status: 400,
        param: 'response_format',
        message: /#\/properties\/part\/maxWords: this keyword is unknown/,
      });
  });
});
