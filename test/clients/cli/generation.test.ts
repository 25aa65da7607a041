/** `client generate --prompts` and `client chat` through a real gateway. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cutlayerAsked, cutlayerHere } from '../../support/command-here.js';
import { thorough } from '../../support/exhaustive.js';
import { type GatewayHere, startGatewayHere } from '../../support/gateway-here.js';
import { withoutDecodeGraphs } from '../../support/old-bundle.js';
import { packedFixture } from '../../support/packed-fixture.js';

const rows = [
  { id: 'a', prompt: 'The pump' },
  { prompt: 'The valve is' },
  { id: 3, messages: [{ role: 'user', content: 'Which part failed?' }] },
  { prompt: 'Ticket: printer', priority: 'high' },
  { prompt: 'Again' },
];

describe('generation from the command line', () => {
  let dir: string;
  let gateway: GatewayHere;
  let flags: readonly string[];
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-generation-'));
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    gateway = await startGatewayHere({ backboneDir });
    await writeFile(join(dir, 'token'), await gateway.token('acme'));
    flags = ['--bundle', bundleDir, '--gateway', gateway.address, '--ca', gateway.caFile!, '--token-file', join(dir, 'token')];
    flags = [...flags, '--threads', '1', '--max-new-tokens', '5', '--temperature', '1', '--seed', '3'];
    await writeFile(join(dir, 'prompts.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  });
  after(async () => {
    await gateway?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  thorough('says once that packing again makes tokens faster, of a bundle of blocks without graphs for decoding', async () => {
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny', { bottom: 1 });
    const old = await withoutDecodeGraphs(bundleDir);
    const held = await startGatewayHere({ backboneDir });
    try {
      await writeFile(join(dir, 'held-token'), await held.token('acme'));
      const connection = ['--gateway', held.address, '--ca', held.caFile!, '--token-file', join(dir, 'held-token'), '--threads', '1'];
      const run = (bundle: string) =>
        cutlayerHere(['client', 'generate', '--bundle', bundle, ...connection, '--prompt', 'A valve', '--max-new-tokens', '5']);
      const [first, second] = [await run(old), await run(bundleDir)];
      assert.deepEqual([first.code, second.code, first.stdout], [0, 0, second.stdout]);
      assert.equal(first.stderr.match(/note: each token runs the whole sequence/g)?.length, 1);
      assert.doesNotMatch(second.stderr, /whole sequence/);
    } finally {
      await held.stop();
      await rm(old, { recursive: true });
    }
  });

  const generate = (...args: readonly string[]) => cutlayerHere(['client', 'generate', ...flags, ...args]);
  const toFile = (out: string, ...more: readonly string[]) =>
    generate('--prompts', join(dir, 'prompts.jsonl'), '--out', join(dir, out), '--batch', '2', ...more);
  const lines = async (out: string) => (await readFile(join(dir, out), 'utf8')).trimEnd().split('\n');

  it('answers a file of prompts in its order, and goes on with what was begun to the same lines', async () => {
    const { code, stderr } = await toFile('whole.jsonl');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /whole\.jsonl: 5 answers, \d+ tokens, [\d.]+ tokens\/s/);
    const whole = await lines('whole.jsonl');
    const answers = whole.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      answers.map(({ index, id }) => [index, id]),
      [
        [0, 'a'],
        [1, undefined],
        [2, 3],
        [3, undefined],
        [4, undefined],
      ],
    );
    assert.ok(
      answers.every(
        ({ finish, tokens, text }) => /^(stop|length)$/.test(String(finish)) && Number(tokens) <= 5 && typeof text === 'string',
      ),
    );
    // A killed run leaves whole lines and a part of one.
    await writeFile(join(dir, 'begun.jsonl'), `${whole.slice(0, 2).join('\n')}\n${whole[2]!.slice(0, 9)}`);
    assert.match((await toFile('begun.jsonl')).stderr, /ALREADY_EXISTS: .*begun\.jsonl: exists already; go on with it by --resume/);
    const resumed = await toFile('begun.jsonl', '--resume');
    assert.match(resumed.stderr, /resuming after prompt 2/);
    assert.deepEqual(await lines('begun.jsonl'), whole);
  });

  it('refuses rows and flags that do not fit, naming them, before anything is generated', async () => {
    const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
      ['{"prompt": "a"}\n{"text": "b"}\n', [], /INVALID_DATA: .*rows\.jsonl:2: expected "prompt" .* got text/],
      ['{"prompt": "a", "id": []}\n', [], /rows\.jsonl:1: id: expected a text or a number/],
      [`{"prompt": "${'a b '.repeat(400)}"}\n`, [], /rows\.jsonl:1: expected a prompt of 1 to \d+ tokens, got \d+/],
      ['', [], /expected at least one prompt/],
      ['{"prompt": "a"}\n', ['--prompt', 'x'], /INVALID_OPTION: --prompt: --prompts has them all/],
    ];
    for (const [text, more, message] of refused) {
      await writeFile(join(dir, 'rows.jsonl'), text);
      const { code, stderr } = await generate('--prompts', join(dir, 'rows.jsonl'), '--out', join(dir, 'none.jsonl'), ...more);
      assert.notEqual(code, 0);
      assert.match(stderr, message);
    }
    assert.match((await generate('--prompt', 'a', '--out', 'x')).stderr, /--out: goes with --prompts/);
    assert.match((await generate('--prompts', join(dir, 'prompts.jsonl'))).stderr, /pass --out/);
    await writeFile(join(dir, 'other.jsonl'), '{"index":0,"promptTokens":99}\n');
    assert.match((await toFile('other.jsonl', '--resume')).stderr, /other\.jsonl:1: expected the answer to prompt 0 of \d+ tokens/);
  });

  thorough('searches with beams, of a prompt and of a file, and refuses beside them what they do not do', async () => {
    const connection = flags.slice(0, flags.indexOf('--temperature'));
    const beams = (...args: readonly string[]) => cutlayerHere(['client', 'generate', ...connection, '--num-beams', '3', ...args]);
    const several = await beams('--prompt', 'The pump', '--num-return-sequences', '2');
    assert.equal(several.code, 0, several.stderr);
    const found = several.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { text: string; score: number; tokens: number });
    assert.ok(found.length === 2 && found[0]!.score >= found[1]!.score && found.every(({ tokens }) => tokens <= 5));
    const filed = await beams('--prompts', join(dir, 'prompts.jsonl'), '--out', join(dir, 'beams.jsonl'));
    assert.equal(filed.code, 0, filed.stderr);
    const [first] = (await lines('beams.jsonl')).map((line) => JSON.parse(line) as object);
    assert.deepEqual(first, { index: 0, id: 'a', promptTokens: 5, finish: 'length', ...found[0] });
    const refused: readonly (readonly [readonly string[], RegExp])[] = [
      [['--temperature', '1'], /INVALID_OPTION: .*--temperature has no effect here: beam search draws no token; set --num-beams 1/],
      [['--draft-model', dir], /--draft-model has no effect here: beam search drafts no tokens/],
      [['--stop', 'x'], /--stop has no effect here: beam search ends at stop tokens alone/],
      [['--regex', 'x'], /--regex has no effect here: beam search holds no text to a form/],
      [['--num-return-sequences', '4'], /--num-return-sequences: expected at most --num-beams \(3\), got 4/],
      [['--early-stopping', 'soon'], /--early-stopping: expected true, false or never/],
      [['--num-beams', '1', '--length-penalty', '2'], /--length-penalty has no effect here: only beam search reads it/],
    ];
    for (const [more, message] of refused) {
      const { code, stderr } = await beams('--prompt', 'a', ...more);
      assert.notEqual(code, 0);
      assert.match(stderr, message);
    }
  });

  /** Runs `chat` with these lines as its input. */
  const chat = (input: readonly string[], ...args: readonly string[]) =>
    cutlayerAsked(['client', 'chat', ...flags, '--max-new-tokens', '2', ...args], input);

  it('talks: each message is answered with those before it, and commands work', async () => {
    const file = join(dir, 'talk.json');
    const talk = ['Hi', '/retry', 'So?', `/save ${file}`, '/nonsense', '/reset', '/save', 'Anew', '/exit', 'never read'];
    const { code, stdout, stderr } = await chat(talk, '--system', 'Be');
    assert.equal(code, 0, stderr);
    const saved = JSON.parse(await readFile(file, 'utf8')) as { readonly role: string; readonly content: string }[];
    assert.deepEqual(
      saved.map(({ role }) => role),
      ['system', 'user', 'assistant', 'user', 'assistant'],
    );
    assert.ok(stdout.includes(saved[2]!.content) && stdout.includes(saved[4]!.content));
    assert.match(stderr, /wrote .*talk\.json\n\/nonsense: no such command[\s\S]*the conversation begins anew\n\/save: expected a file/);
  });

  it('takes a message back that is too long, and goes on', async () => {
    const { code, stdout, stderr } = await chat(['word '.repeat(500), 'Hello']);
    assert.equal(code, 0);
    assert.match(stderr, /error INVALID_ARGUMENT: generate: expected a prompt of .*; the message is taken back/);
    assert.ok(stdout.length > 1);
  });
});
