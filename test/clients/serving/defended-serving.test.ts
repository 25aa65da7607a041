/** Redaction between a text and a real gateway, and adapters of a folder that miss a defence. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { trainedOnFile } from '../../../clients/typescript/adapters/trained-on.js';
import { redactor } from '../../../clients/typescript/defences/redaction.js';
import { Defences, type GenerateOptions, generate, RemoteModel, SoftPrompt, SplitModel } from '../../../clients/typescript/index.js';
import { type ServingRig, startServingRig } from '../../support/serving-rig.js';

const prompt = 'The pump of ada@example.org stopped.';
const redacted = 'The pump of [EMAIL_1] stopped.';

describe('redaction before a real gateway', () => {
  let rig: ServingRig;
  let dir: string;
  const read: (readonly [name: string, dir: string])[] = [];
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-folder-'));
    const onRead = async (...told: readonly [string, string]) => void read.push(told);
    rig = await startServingRig({
      defences: new Defences([], undefined, redactor({ kinds: ['emails'] })),
      serving: { folder: dir, onRead },
    });
  });
  after(async () => {
    await rig?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const textOf = async (model: SplitModel, text: string, more: GenerateOptions = {}): Promise<string> => {
    let answer = '';
    for await (const piece of generate(model, undefined, text, { maxNewTokens: 8, ...more })) answer += piece;
    return answer;
  };
  const served = async (text: string): Promise<string> =>
    (await rig.openai.completions.create({ model: 'base', prompt: text, max_tokens: 8, temperature: 0 })).choices[0]!.text;

  it('sends what the placeholder gives, in generation and where it is served', async () => {
    const plain = new SplitModel(rig.bundle, new RemoteModel(rig.model.remote.connection));
    const wanted = await textOf(plain, redacted);
    assert.notEqual(await textOf(plain, prompt), wanted);
    assert.equal(await textOf(rig.model, prompt), wanted);
    assert.equal(await served(prompt), wanted);
  });

  it('puts an entity back where the model writes its placeholder', async () => {
    const constraint = { kind: 'choice' as const, choices: ['to [EMAIL_1]'] };
    assert.equal(await textOf(rig.model, prompt, { maxNewTokens: 40, constraint }), 'to ada@example.org');
  });

  it('is not alone in a folder: an adapter is told of before it answers, for what it was trained with', async () => {
    const adapter = await SoftPrompt.create(rig.bundle, 2, { init: 'SAMPLE_VOCAB', seed: 1 });
    await adapter.save(join(dir, 'tickets'));
    const { name, text } = trainedOnFile(undefined, [{ name: 'row-noise', settings: { scale: 1 } }]);
    await writeFile(join(dir, 'tickets', name), text);
    assert.deepEqual(read, []);
    for (let at = 0; at < 2; at++) await rig.openai.completions.create({ model: 'tickets', prompt: 'The', max_tokens: 1 });
    assert.deepEqual(read, [['tickets', join(dir, 'tickets')]]);
  });
});
