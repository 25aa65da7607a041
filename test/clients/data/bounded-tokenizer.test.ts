/** Code of a bundle (chat template, tokenizer) ends within its bounds, and only files that the manifest lists are read. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { DEFAULT_TOKENIZER_LIMITS, waitForAnswer } from '../../../clients/typescript/data/bounded-tokenizer.js';
import { loadExamples, TextTokenizer } from '../../../clients/typescript/index.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { thorough } from '../../support/exhaustive.js';

const fixture = join(packageRoot(), 'test/fixtures/llama-tiny');
const special = { vocabSize: 320, bosTokenId: 0, eosTokenIds: [1] };
const limits = { ...DEFAULT_TOKENIZER_LIMITS, timeMs: 500, heapMb: 64 };
const chat = [{ role: 'user', content: 'hello' }];
const tooMuch = {
  code: 'LIMIT_EXCEEDED',
  message: /no answer within 50\d ms and 64 MB .*ask the vendor for another bundle, or leave out or shorten/,
};

describe('the code of a bundle', function () {
  this.timeout(60_000);
  let json: Readonly<Record<string, unknown>>;
  const opened: TextTokenizer[] = [];
  const open = (tokenizerJson: object, template?: string): TextTokenizer => {
    const tokenizer = new TextTokenizer(tokenizerJson, {}, special, template, limits);
    opened.push(tokenizer);
    return tokenizer;
  };

  before(async () => {
    json = JSON.parse(await readFile(join(fixture, 'tokenizer.json'), 'utf8')) as typeof json;
  });
  after(async () => {
    for (const tokenizer of opened) await tokenizer.close();
  });

  it('ends in time when a chat template loops, and works again afterwards', () => {
    const tokenizer = open(json, '{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}');
    const expected = tokenizer.encode('hello world');
    const began = performance.now();
    assert.throws(() => tokenizer.renderChat(chat, true), tooMuch);
    assert.ok(performance.now() - began < 5000);
    assert.deepEqual(tokenizer.encode('hello world'), expected);
  });

  it('ends when a chat template fills memory, and this process lives', () => {
    const grow = "{% set ns = namespace(list=[]) %}{% for a in range(10000000) %}{% set ns.list = ns.list + ['x' ~ a] %}{% endfor %}";
    const tokenizer = open(json, grow);
    assert.throws(() => tokenizer.renderChat(chat, true), tooMuch);
    assert.ok(tokenizer.encode('hello').length > 0);
  });

  thorough('ends at its heap, not only at its time', () => {
    const double = "{% set ns = namespace(list=['x']) %}{% for a in range(24) %}{% set ns.list = ns.list + ns.list %}{% endfor %}";
    const ample = { ...limits, timeMs: 20_000 };
    for (const heapMb of [1024, 64]) {
      const tokenizer = new TextTokenizer(json, {}, special, double, { ...ample, heapMb });
      opened.push(tokenizer);
      if (heapMb > 64) assert.equal(tokenizer.renderChat(chat, true), '');
      else assert.throws(() => tokenizer.renderChat(chat, true), { code: 'LIMIT_EXCEEDED', message: /and 64 MB/ });
    }
  });

  it('ends in time when an expression of the tokenizer doubles with each character', () => {
    const split = { type: 'Split', pattern: { Regex: '^(([a-z])+.)+[A-Z]([a-z])+$' }, behavior: 'Isolated', invert: false };
    const tokenizer = open({ ...json, pre_tokenizer: split });
    assert.throws(() => tokenizer.encode('a'.repeat(60)), tooMuch);
  });

  it('gives the ids of many texts asked at once as of each alone', async () => {
    const tokenizer = open(json);
    const texts = Array.from({ length: 300 }, (_, at) => `text ${at % 250} of the pump`);
    const alone = texts.map((text) => tokenizer.encode(text));
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-batch-'));
    await writeFile(join(dir, 'data.jsonl'), texts.map((text) => `${JSON.stringify({ text })}\n`).join(''));
    const examples = await loadExamples(join(dir, 'data.jsonl'), tokenizer, { maxLength: 100 });
    assert.deepEqual(
      examples.map(({ tokenIds }) => [...tokenIds]),
      alone.map((ids) => [...tokenizer.leading, ...ids, 1]),
    );
    await rm(dir, { recursive: true });
  });

  it('gives no id that is another one in 32 bits', () => {
    const { model } = json as { readonly model: { readonly vocab: Readonly<Record<string, number>> } };
    const [token, id] = Object.entries(model.vocab).find(([text]) => text === 'a')!;
    const tokenizer = open({ ...json, model: { ...model, vocab: { ...model.vocab, [token]: 2 ** 32 + id } } });
    assert.throws(() => tokenizer.encode('a b'), { code: 'INVALID_ARTIFACT', message: new RegExp(`tokenizer: .*${2 ** 32 + id}`) });
  });

  for (const [what, change] of [
    ['has a template of another kind', { post_processor: { type: 'TemplateProcessing', single: 'B', pair: [] } }],
    ['has an id below zero', { added_tokens: [{ id: -1, content: '<|end|>', special: true }] }],
    ['has no id for a token of its template', { post_processor: { type: 'BertProcessing', sep: ['none', 1], cls: ['none', 0] } }],
    ['has an id that is not whole', { added_tokens: [{ id: 1.5, content: '<|end|>', special: true }] }],
  ] as const) {
    it(`is refused by a typed error when its tokenizer ${what}`, () => {
      const config = { eos_token: '<|end|>' };
      assert.throws(() => new TextTokenizer({ ...json, ...change }, config, special, undefined, limits), {
        code: 'INVALID_ARTIFACT',
        message: /^tokenizer\.json: .*; the checkpoint has to be packed again/,
      });
    });
  }

  it('prints nothing, neither when it runs nor when it is packed', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-silent-'));
    const split = { type: 'Split', pattern: '\u001b[31mred', behavior: 'Isolated', invert: false };
    await writeFile(join(dir, 'tokenizer.json'), JSON.stringify({ ...json, pre_tokenizer: split }));
    const at = (path: string): string => JSON.stringify(join(packageRoot(), 'dist', path));
    const program = `
      import { setTimeout as delay } from 'node:timers/promises';
      import { checkTokenizer } from ${at('src/compiler/pack/checkpoint-files.js')};
      import { TextTokenizer } from ${at('clients/typescript/data/text-tokenizer.js')};
      const dir = ${JSON.stringify(dir)};
      await checkTokenizer(dir, 320);
      await TextTokenizer.load(dir, ${JSON.stringify(special)});
      await delay(300);
      process.stdout.write('opened');`;
    await writeFile(join(dir, 'program.mjs'), program);
    const { stdout, stderr } = spawnSync(process.execPath, [join(dir, 'program.mjs')], { encoding: 'utf8' });
    assert.deepEqual([stdout, stderr], ['opened', '']);
    await rm(dir, { recursive: true });
  });

  it('is read from files that the manifest lists, with their digests', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-listed-'));
    await cp(join(fixture, 'tokenizer.json'), join(dir, 'tokenizer.json'));
    await writeFile(join(dir, 'chat_template.jinja'), 'planted');
    const bytes = await readFile(join(dir, 'tokenizer.json'));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const listed = { tokenizerFiles: ['tokenizer.json'], files: [{ path: 'tokenizer.json', bytes: bytes.length, sha256 }] };
    const tokenizer = await TextTokenizer.load(dir, { ...special, ...listed });
    opened.push(tokenizer);
    assert.throws(() => tokenizer.renderChat(chat, true), { code: 'INVALID_DATA', message: /has no chat template/ });
    await writeFile(join(dir, 'tokenizer.json'), `${bytes.toString()} `);
    await assert.rejects(TextTokenizer.load(dir, { ...special, ...listed }), { code: 'DIGEST_MISMATCH' });
    await rm(dir, { recursive: true });
  });

  it('is not taken for one that does not answer when a late notification wakes the caller', () => {
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const source = `
      const { workerData: flag } = require('node:worker_threads');
      const pause = new Int32Array(new SharedArrayBuffer(4));
      for (let at = 0; at < 40; at++) { Atomics.wait(pause, 0, 0, 5); Atomics.notify(flag, 0); }
      Atomics.store(flag, 0, 1);
      Atomics.notify(flag, 0);`;
    const worker = new Worker(source, { eval: true, workerData: flag });
    waitForAnswer(flag, 30_000);
    assert.equal(Atomics.load(flag, 0), 1);
    return worker.terminate().then(() => undefined);
  });
});
