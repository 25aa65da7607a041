/** OpenAI's own client against the local endpoint, over a real gateway. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI from 'openai';
import {
  type Adapter,
  continueAll,
  type GenerateOptions,
  generate,
  makeBatch,
  type Prompt,
  SoftPrompt,
} from '../../../clients/typescript/index.js';
import { promptIds } from '../../../clients/typescript/inference/generate.js';
import { logprobsOf } from '../../../clients/typescript/inference/sampling/logprobs.js';
import { type ServingRig, startServingRig } from '../../support/serving-rig.js';

const messages = [{ role: 'user' as const, content: 'The pump lost pressure.' }];

describe("the local endpoint, asked by OpenAI's client", () => {
  let rig: ServingRig;
  let openai: OpenAI;
  let adapter: Adapter;
  before(async () => {
    rig = await startServingRig();
    openai = rig.openai;
    adapter = await SoftPrompt.create(rig.bundle, 4, { init: 'SAMPLE_VOCAB', seed: 3 });
  });
  after(() => rig.close());

  /** The text of `client generate`. */
  async function generated(prompt: Prompt, options: GenerateOptions, own?: Adapter): Promise<string> {
    let text = '';
    for await (const piece of generate(rig.model, own, prompt, options)) text += piece;
    return text;
  }

  it('answers a chat with the text that client generate gives for the same messages and settings', async () => {
    const answer = await openai.chat.completions.create({ model: 'base', messages, temperature: 0, max_tokens: 12 });
    assert.equal(answer.choices[0]!.message.content, await generated(messages, { maxNewTokens: 12 }));
    assert.equal(answer.object, 'chat.completion');
    const { prompt_tokens, completion_tokens, total_tokens } = answer.usage!;
    assert.equal(prompt_tokens, promptIds(rig.bundle.tokenizer, messages).length);
    assert.deepEqual([completion_tokens, total_tokens], [12, prompt_tokens + 12]);
    assert.equal(answer.choices[0]!.finish_reason, 'length');
    const settings = { temperature: 0.9, top_p: 0.8, seed: 7, presence_penalty: 0.5, frequency_penalty: 0.25, max_tokens: 12 };
    const drawn = await openai.chat.completions.create({ model: 'base', messages, ...settings, logit_bias: { '40': 3 } });
    const same = { temperature: 0.9, topP: 0.8, seed: 7, presencePenalty: 0.5, frequencyPenalty: 0.25, maxNewTokens: 12 };
    assert.equal(drawn.choices[0]!.message.content, await generated(messages, { ...same, logitBias: new Map([[40, 3]]) }));
  });

  it('streams the same text, with the usage in the last chunk when asked', async () => {
    const settings = { model: 'base', messages, temperature: 0.8, seed: 5, max_tokens: 10, n: 2 };
    const whole = await openai.chat.completions.create(settings);
    const stream = await openai.chat.completions.create({ ...settings, stream: true, stream_options: { include_usage: true } });
    const [texts, ends] = [
      ['', ''],
      ['', ''],
    ];
    let last: OpenAI.ChatCompletionChunk | undefined;
    for await (const chunk of stream) {
      last = chunk;
      for (const { index, delta, finish_reason } of chunk.choices) {
        texts[index]! += delta.content ?? '';
        ends[index]! += finish_reason ?? '';
      }
    }
    assert.deepEqual(
      texts,
      whole.choices.map(({ message }) => message.content),
    );
    assert.deepEqual(
      ends,
      whole.choices.map(({ finish_reason }) => finish_reason),
    );
    assert.notEqual(texts[0], texts[1], 'each answer draws for itself');
    assert.deepEqual([last?.choices, last?.usage], [[], whole.usage]);
  });

  it('gives exact log probabilities, up to the whole vocabulary', async () => {
    const { vocabSize } = rig.bundle;
    const answer = await openai.chat.completions.create({
      model: 'base',
      messages,
      temperature: 0,
      max_tokens: 2,
      logprobs: true,
      top_logprobs: vocabSize,
    });
    const content = answer.choices[0]!.logprobs!.content!;
    assert.equal(content.length, 2);
    const ids = promptIds(rig.bundle.tokenizer, messages);
    const { data } = await rig.model.nextLogits(makeBatch([{ tokenIds: Int32Array.from(ids), labelMask: new Uint8Array(ids.length) }]));
    const of = logprobsOf(data);
    const byBytes = new Map(rig.bundle.tokenizer.bytesOf([...data.keys()]).map((bytes, id) => [bytes.join(), of(id)]));
    assert.equal(content[0]!.top_logprobs.length, vocabSize);
    assert.equal(content[0]!.logprob, content[0]!.top_logprobs[0]!.logprob);
    for (const { bytes, logprob } of content[0]!.top_logprobs.slice(0, 50))
      assert.ok(Math.abs(byBytes.get(bytes!.join())! - logprob) < 1e-5);
    assert.equal(content.map(({ bytes }) => Buffer.from(bytes!).toString()).join(''), answer.choices[0]!.message.content);
  });

  it('completes texts and token ids, and echoes a prompt with the log probabilities of its tokens', async () => {
    const prompt = 'The pump lost';
    const ids = [...promptIds(rig.bundle.tokenizer, prompt)];
    const [texts, tokens] = await Promise.all([
      openai.completions.create({ model: 'base', prompt: [prompt, 'Note'], temperature: 0, max_tokens: 6 }),
      openai.completions.create({ model: 'base', prompt: ids, temperature: 0, max_tokens: 6 }),
    ]);
    assert.equal(texts.choices[0]!.text, await generated(prompt, { maxNewTokens: 6 }));
    assert.equal(texts.choices.length, 2);
    assert.equal(tokens.choices[0]!.text, texts.choices[0]!.text);
    const echoed = await openai.completions.create({ model: 'base', prompt, temperature: 0, max_tokens: 0, echo: true, logprobs: 2 });
    const scores = echoed.choices[0]!.logprobs!;
    assert.ok(echoed.choices[0]!.text.endsWith(prompt));
    assert.equal(scores.tokens!.join(''), echoed.choices[0]!.text);
    assert.equal(scores.token_logprobs!.length, ids.length);
    assert.equal(scores.token_logprobs![0], null);
    const before = ids.slice(0, -1);
    let expected = Number.NaN;
    const bias = new Map([[ids.at(-1)!, 1e6]]);
    for await (const { token } of continueAll(rig.model, undefined, [
      { ids: before, options: { logitBias: bias, maxNewTokens: 1, topLogprobs: 0 } },
    ]))
      expected = token?.logprob ?? expected;
    assert.ok(Math.abs(scores.token_logprobs!.at(-1)! - expected) < 1e-4);
    assert.equal(Object.keys(scores.top_logprobs![1]!).length, 2);
  });

  it('scores the stop token that ends a text, which has no text: programs that score prompts leave one token out', async () => {
    const settings = { model: 'base', prompt: 'The pump', temperature: 0, max_tokens: 1, logprobs: 1, echo: true };
    const whole = (await openai.completions.create(settings)).choices[0]!;
    let id = Number.NaN;
    for await (const { token } of continueAll(rig.model, undefined, [
      { ids: promptIds(rig.bundle.tokenizer, settings.prompt), options: { maxNewTokens: 1 } },
    ]))
      id = token?.id ?? id;
    const stopping = { ...settings, stop_token_ids: [id] };
    const stopped = (await openai.completions.create(stopping)).choices[0]!;
    assert.deepEqual(stopped.logprobs, whole.logprobs);
    assert.equal(stopped.finish_reason, 'stop');
    assert.equal(`${stopped.text}${whole.logprobs!.tokens!.at(-1)}`, whole.text);
  });

  it('ends a text before a stop string, and says so', async () => {
    const settings = { model: 'base', prompt: 'The pump', temperature: 0, max_tokens: 12 };
    const text = (await openai.completions.create(settings)).choices[0]!.text;
    const stop = text.slice(4, 6);
    const stopped = (await openai.completions.create({ ...settings, stop: [stop] })).choices[0]!;
    assert.deepEqual([stopped.text, stopped.finish_reason], [text.slice(0, text.indexOf(stop)), 'stop']);
  });

  it('answers /v1/messages with the text of a chat, and names the stop sequence that ended it', async () => {
    const message = async (more: object) => {
      const body = JSON.stringify({ model: 'base', messages, temperature: 0, max_tokens: 12, ...more });
      const answer = await rig.ask('/v1/messages', { method: 'POST', body });
      assert.equal(answer.status, 200);
      return (await answer.json()) as { content: { text: string }[]; stop_reason: string; stop_sequence: string | null; usage: object };
    };
    const chat = await openai.chat.completions.create({ model: 'base', messages, temperature: 0, max_tokens: 12 });
    const whole = await message({});
    const text = chat.choices[0]!.message.content!;
    assert.deepEqual([whole.content[0]!.text, whole.stop_reason, whole.stop_sequence], [text, 'max_tokens', null]);
    const { prompt_tokens: input_tokens, completion_tokens: output_tokens } = chat.usage!;
    assert.deepEqual(whole.usage, { input_tokens, output_tokens, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 });
    const stop = text.slice(4, 6);
    const stopped = await message({ stop_sequences: ['not in it', stop] });
    assert.deepEqual(
      [stopped.content[0]!.text, stopped.stop_reason, stopped.stop_sequence],
      [text.slice(0, text.indexOf(stop)), 'stop_sequence', stop],
    );
  });

  it('gives embeddings as numbers, and in base64 the same', async () => {
    const input = ['The pump lost pressure.', 'A note'];
    const floats = await openai.embeddings.create({ model: 'base', input, encoding_format: 'float' });
    const coded = await openai.embeddings.create({ model: 'base', input });
    assert.equal(floats.data.length, 2);
    assert.equal(floats.data[0]!.embedding.length, rig.bundle.dims.hiddenSize);
    floats.data.forEach(({ embedding }, at) => {
      assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-5);
      assert.deepEqual([...coded.data[at]!.embedding].map(Math.fround), embedding.map(Math.fround));
    });
    const alone = await openai.embeddings.create({ model: 'base', input: input[1]!, encoding_format: 'float' });
    alone.data[0]!.embedding.forEach((value, at) => {
      assert.ok(Math.abs(value - floats.data[1]!.embedding[at]!) < 1e-5);
    });
  });

  it('serves an adapter under its name, and reads it again when its files change', async () => {
    const folder = join(rig.dir, 'adapters');
    await mkdir(join(folder, 'tickets'), { recursive: true });
    await adapter.save(join(folder, 'tickets'));
    const own = await startServingRig({ serving: { folder } });
    try {
      const ask = async () => {
        const { choices } = await own.openai.chat.completions.create({ model: 'tickets', messages, temperature: 0, max_tokens: 8 });
        return choices[0]!.message.content;
      };
      assert.deepEqual(
        (await own.openai.models.list()).data.map(({ id }) => id),
        ['base', 'tickets'],
      );
      assert.equal(await ask(), await generated(messages, { maxNewTokens: 8 }, adapter));
      const other = await SoftPrompt.create(rig.bundle, 6, { init: 'SAMPLE_VOCAB', seed: 9 });
      await other.save(join(folder, 'tickets'));
      assert.equal(await ask(), await generated(messages, { maxNewTokens: 8 }, other));
      assert.equal((await own.openai.models.retrieve('tickets')).id, 'tickets');
    } finally {
      await own.close();
    }
  });

  it('refuses in the shape of the API, with the status that its clients know', async () => {
    const create = (more: object) =>
      openai.chat.completions.create({ model: 'base', messages, ...more } as OpenAI.ChatCompletionCreateParamsNonStreaming);
    const refused = async (
      more: object,
      error: { readonly status: number; readonly code?: string; readonly param?: string },
      message: RegExp,
    ) => {
      await assert.rejects(create(more), (caught: InstanceType<typeof OpenAI.APIError>) => {
        assert.deepEqual(
          { status: caught.status, code: caught.code, param: caught.param },
          { code: 'invalid_value', param: null, ...error },
        );
        assert.match(caught.message, message);
        return true;
      });
    };
    await refused({ model: 'none' }, { status: 404, code: 'model_not_found', param: 'model' }, /expected one of base, got none/);
    await refused({ temprature: 1 }, { status: 400, code: 'unknown_parameter', param: 'temprature' }, /not a field of chat completions/);
    await refused({ audio: {} }, { status: 400, code: 'unsupported_parameter', param: 'audio' }, /not supported here/);
    await refused({ temperature: 'hot' }, { status: 400, param: 'temperature' }, /expected .*got "hot"/);
    await refused(
      { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { not: {} } } } },
      { status: 400, code: 'invalid_value', param: 'response_format' },
      /schema: #\/not: not cannot be enforced/,
    );
    await refused(
      { tools: [{ type: 'function', function: { name: 'f' } }] },
      { status: 400, code: 'unsupported_parameter', param: 'tools' },
      /chat template/,
    );
    await refused(
      { messages: [{ role: 'user', content: 'a'.repeat(9000) }] },
      { status: 400, code: 'context_length_exceeded', param: 'messages' },
      /more than fit/,
    );
    await refused({ max_tokens: 100_000 }, { status: 400, code: 'context_length_exceeded', param: 'max_tokens' }, /ask for at most \d+/);
    await refused(
      { messages: [{ role: 'nurse', content: 'x' }] },
      { status: 400, code: 'invalid_data', param: 'messages' },
      /messages\[0\]\.role/,
    );
    const wrong = new OpenAI({ baseURL: `${rig.serving.url}/v1`, apiKey: 'wrong', maxRetries: 0 });
    await assert.rejects(wrong.models.list(), { status: 401, code: 'invalid_api_key' });
  });
});
