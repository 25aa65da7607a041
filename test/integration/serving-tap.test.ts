/** A capture of all bytes between the local endpoint and the gateway holds no text of a request or an answer. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack } from '../../src/compiler/pack/pack.js';
import { withVariant } from '../support/checkpoint-variant.js';
import { packedOnce } from '../support/packed-fixture.js';
import { fixtureDir } from '../support/packed-model.js';
import { type ServingRig, startServingRig } from '../support/serving-rig.js';
import { dataOfStreams, startTapProxy, type TapProxy } from '../support/tap-proxy.js';
import { TOOL_TEMPLATE } from '../support/tool-template.js';

describe('a tap between the local endpoint and the gateway', () => {
  let tap: TapProxy;
  let rig: ServingRig;
  let captured: readonly Buffer[];
  const said: string[] = [
    'The compressor lost pressure twice',
    'Answer like an experienced mechanic',
    'lookup_spare_part',
    'warehouse number',
    'Turbine bearing replaced yesterday',
    'previous_reply_marker',
  ];
  before(async () => {
    const config = JSON.parse(readFileSync(join(fixtureDir('llama-tiny'), 'tokenizer_config.json'), 'utf8')) as object;
    const files = {
      'tokenizer.json': readFileSync(join(fixtureDir('llama-tiny'), 'tokenizer.json')),
      'tokenizer_config.json': JSON.stringify({ ...config, chat_template: TOOL_TEMPLATE }),
    };
    const fixture = await packedOnce('packed-llama-tiny-tools', (outDir) =>
      withVariant('llama-tiny', { config: { max_position_embeddings: 4096 }, files }, (checkpointDir) =>
        pack({ checkpointDir, outDir, bottom: 0, top: 0 }),
      ),
    );
    rig = await startServingRig({
      fixture,
      through: async (gateway) => {
        tap = await startTapProxy(gateway);
        return tap.address;
      },
    });
    const { openai } = rig;
    const messages = [
      { role: 'system' as const, content: said[1]! },
      { role: 'user' as const, content: said[0]! },
    ];
    const parameters = { type: 'object', properties: { number: { type: 'string', description: said[3]! } } };
    const tools = [{ type: 'function' as const, function: { name: said[2]!, parameters } }];
    const chat = await openai.chat.completions.create({ model: 'base', messages, tools, seed: 1, max_tokens: 12 });
    const stream = await openai.chat.completions.create({ model: 'base', messages, seed: 2, max_tokens: 12, stream: true });
    let streamed = '';
    for await (const { choices } of stream) streamed += choices[0]?.delta.content ?? '';
    const completed = await openai.completions.create({
      model: 'base',
      prompt: said[4]!,
      seed: 3,
      max_tokens: 12,
      echo: true,
      logprobs: 2,
    });
    await openai.embeddings.create({ model: 'base', input: said[4]! });
    said.push(chat.choices[0]!.message.content!, streamed, completed.choices[0]!.text);
    captured = tap.connections().flatMap(({ up, down }) => [up, down, ...dataOfStreams(up).values(), ...dataOfStreams(down).values()]);
  });
  after(async () => {
    await rig?.close();
    await tap?.close();
  });

  const holds = (needle: Buffer) => captured.some((bytes) => bytes.includes(needle));

  it('sees the rows that are sent', async () => {
    const ids = rig.bundle.tokenizer.encode('Turbine');
    const rows = await rig.bundle.embed(ids.slice(0, 1));
    assert.ok(holds(Buffer.from(rows.data.buffer, rows.data.byteOffset, rows.data.byteLength)));
  });

  it('holds no prompt, answer, tool or schema, whole or in words', () => {
    const words = said.flatMap((text) => text.split(/[^A-Za-z_]+/)).filter((word) => word.length >= 4);
    const needles = [...new Set([...said.filter((text) => text.length >= 4), ...words])];
    assert.ok(needles.length > 20);
    for (const needle of needles)
      for (const encoding of ['utf8', 'utf16le'] as const)
        assert.ok(!holds(Buffer.from(needle, encoding)), `found ${JSON.stringify(needle)}`);
  });
});
