/** Drafts by a small model of this process: they change no token, and save round trips. */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ClientBundle, type Connection, connect, continueAll, RemoteModel, SplitModel } from '../../../../clients/typescript/index.js';
import type { ContinuationOptions } from '../../../../clients/typescript/inference/continuation.js';
import { DraftModel } from '../../../../clients/typescript/model/draft-model.js';
import { pack } from '../../../../src/compiler/pack/pack.js';
import { packageRoot } from '../../../../src/files/package-root.js';
import { cutlayerAsked, cutlayerHere } from '../../../support/command-here.js';
import { type DelayProxy, startDelayProxy } from '../../../support/delay-proxy.js';
import { depth, thorough } from '../../../support/exhaustive.js';
import { type PackedFixture, packedFixture, packedOnce } from '../../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../../support/test-gateway.js';

const ROUND_TRIP_MS = 20;
const PROMPTS = ['The pump lost pressure', 'A valve'];

/** llama-tiny with changes to its configuration, which make it a worse model, or its tokenizer. */
function packedWith(key: string, config: object, end = ''): Promise<PackedFixture> {
  const from = (file: string): string => join(packageRoot(), 'test', 'fixtures', 'llama-tiny', file);
  return packedOnce(`draft-${key}`, async (outDir) => {
    const checkpointDir = await mkdtemp(join(tmpdir(), 'cutlayer-checkpoint-'));
    try {
      for (const file of ['model.safetensors', 'tokenizer_config.json']) await copyFile(from(file), join(checkpointDir, file));
      const known = JSON.parse(await readFile(from('config.json'), 'utf8')) as object;
      await writeFile(join(checkpointDir, 'config.json'), JSON.stringify({ ...known, ...config }));
      await writeFile(join(checkpointDir, 'tokenizer.json'), `${await readFile(from('tokenizer.json'), 'utf8')}${end}`);
      await pack({ checkpointDir, outDir, bottom: 0, top: 0, name: key });
    } finally {
      await rm(checkpointDir, { recursive: true, force: true });
    }
  });
}

const other = (): Promise<PackedFixture> => packedWith('worse', { rms_norm_eps: 0.5 });

/** What `cutlayer pack --out` wrote. */
const packDir = ({ bundleDir }: PackedFixture): string => dirname(bundleDir);

describe('a small model that drafts', () => {
  let gateway: TestGateway;
  let proxy: DelayProxy;
  let connection: Connection;
  let bundle: ClientBundle;
  const drafters: DraftModel[] = [];
  before(async () => {
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    gateway = await startTestGateway({ backboneDir, start: { insecure: true } });
    proxy = await startDelayProxy(Number(gateway.gateway.listen.split(':').at(-1)), ROUND_TRIP_MS / 2);
    bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    connection = await connect({ address: `127.0.0.1:${proxy.port}`, token: await gateway.token(), insecure: true });
  });
  after(async () => {
    for (const drafter of drafters) await drafter.close();
    connection?.close();
    await bundle?.close();
    await proxy?.close();
    await gateway?.close();
  });

  async function open(packed: Promise<PackedFixture>): Promise<DraftModel> {
    const drafter = await DraftModel.open(packDir(await packed), bundle, { threads: 1 });
    drafters.push(drafter);
    return drafter;
  }

  /** A drafter that tells what it drafts. */
  function watched(drafter: DraftModel, drafts: (readonly number[])[]): DraftModel {
    const begin = (maxTokens: number) => {
      const sequence = drafter.begin(maxTokens);
      const draft = async (ids: readonly number[], most: number) => {
        const made = await sequence.draft(ids, most);
        drafts.push(made);
        return made;
      };
      return { draft, close: () => sequence.close() };
    };
    return { begin } as unknown as DraftModel; // what a text uses of one
  }

  async function tokens(options: ContinuationOptions, drafter?: DraftModel): Promise<readonly (readonly number[])[]> {
    const model = new SplitModel(bundle, new RemoteModel(connection), drafter);
    const { tokenizer } = bundle;
    const prompts = PROMPTS.map((text) => ({ ids: [...tokenizer.leading, ...tokenizer.encode(text)], options }));
    const made = prompts.map((): number[] => []);
    for await (const { index, token } of continueAll(model, undefined, prompts, { draftTokens: drafter === undefined ? 0 : 8 }))
      if (token !== undefined) made[index]!.push(token.id);
    return made;
  }

  it('gives the same tokens, greedy and drawn, whether it is right or wrong', async () => {
    const [same, another] = [await open(packedFixture('llama-tiny')), await open(other())];
    const length = depth(12, 8);
    const greedy = { maxNewTokens: length, minTokens: length };
    const drawn = Array.from({ length: depth(6, 1) }, (_, seed) => ({ ...greedy, temperature: 1, seed }));
    for (const options of [greedy, ...drawn]) {
      const plain = await tokens(options);
      for (const drafter of options === greedy ? depth([same, another], [same]) : [another]) {
        const drafts: (readonly number[])[] = [];
        assert.deepEqual(await tokens(options, watched(drafter, drafts)), plain);
        assert.ok(drafts.length > PROMPTS.length, 'it drafts beyond the prompt');
        const most = Math.max(...drafts.map(({ length }) => length));
        assert.ok(most >= 2, `${most} tokens`);
      }
    }
  });

  thorough('takes back what did not come, and drafts as if it had not been there', async () => {
    const drafter = await open(packedFixture('llama-tiny'));
    const ids = [...bundle.tokenizer.leading, ...bundle.tokenizer.encode(PROMPTS[0]!)];
    const [used, right] = [drafter.begin(60), await drafter.begin(60).draft(ids, 6)];
    assert.deepEqual(await used.draft(ids, 6), right);
    for (const more of [[...right.slice(0, 2), (right[2]! + 1) % 300], [7, 8, 9, 10], [], right])
      assert.deepEqual(await used.draft([...ids, ...more], 4), await drafter.begin(60).draft([...ids, ...more], 4));
    const short = drafter.begin(ids.length + 1);
    assert.equal((await short.draft(ids, 6)).length, 2, 'no more than it has room for');
    assert.deepEqual(await short.draft([...ids, 5, 6], 6), []);
    const greedy = await tokens({ maxNewTokens: 6, minTokens: 6 });
    assert.deepEqual(right, greedy[0], 'the tokens of the whole model');
  });

  it('is refused with another tokenizer, another cut, or a backbone of another pack', async () => {
    const refused = (dir: string, message: RegExp) =>
      assert.rejects(DraftModel.open(dir, bundle, { threads: 1 }), { code: 'INVALID_ARGUMENT', message });
    await refused(packDir(await packedWith('alien', {}, '\n')), /^draft model: alien .* has another tokenizer than llama-tiny /);
    await refused(packDir(await packedFixture('llama-tiny', { bottom: 1 })), /packed without --bottom and --top/);
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-draft-'));
    try {
      await symlink((await packedFixture('llama-tiny')).bundleDir, join(dir, 'client-bundle'));
      await symlink((await other()).backboneDir, join(dir, 'backbone'));
      await refused(dir, /were not packed together/);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  /** The `begin`s of all drafters while a job runs. */
  async function begunIn(job: () => Promise<void>): Promise<number> {
    const { begin } = DraftModel.prototype;
    let begun = 0;
    DraftModel.prototype.begin = function (maxTokens) {
      begun++;
      return begin.call(this, maxTokens);
    };
    await job().finally(() => {
      DraftModel.prototype.begin = begin;
    });
    return begun;
  }

  /** The answer of an endpoint of this process, which ends then. */
  async function served(flags: readonly string[], prompt: string): Promise<string> {
    let ready = (_url: string): void => undefined;
    const url = new Promise<string>((resolve) => {
      ready = resolve;
    });
    const serving = cutlayerHere(['client', 'serve', ...flags, '--port', '0', '--no-key', '--json'], {}, (line) =>
      ready((JSON.parse(line) as { readonly url: string }).url),
    );
    try {
      const body = JSON.stringify({ model: 'llama-tiny', prompt, max_tokens: 12, temperature: 0 });
      const at = await Promise.race([url, serving.then(({ stderr }) => Promise.reject(new Error(stderr)))]);
      const answer = await fetch(`${at}/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      return ((await answer.json()) as { readonly choices: readonly { readonly text: string }[] }).choices[0]!.text;
    } finally {
      process.emit('SIGTERM');
      await serving;
    }
  }

  thorough('is asked for at the command line', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-draft-'));
    try {
      await writeFile(join(dir, 'token'), await gateway.token());
      const address = ['--gateway', `127.0.0.1:${proxy.port}`, '--insecure', '--token-file', join(dir, 'token'), '--threads', '1'];
      const generate = (...args: readonly string[]) =>
        cutlayerHere(['client', 'generate', '--bundle', bundle.dir, ...address, '--prompt', 'A valve', '--max-new-tokens', '12', ...args]);
      const [plain, drafted] = [await generate(), await generate('--draft-model', packDir(await other()))];
      assert.equal(drafted.code, 0, drafted.stderr);
      assert.equal(drafted.stdout, plain.stdout);
      assert.match((await generate('--draft-model', dir)).stderr, /NOT_FOUND: .*client-bundle/);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  thorough('drafts in chat and serve, and is refused there', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-draft-'));
    try {
      await writeFile(join(dir, 'token'), await gateway.token());
      const address = ['--gateway', `127.0.0.1:${proxy.port}`, '--insecure', '--token-file', join(dir, 'token'), '--threads', '1'];
      const plain = await cutlayerHere([
        'client',
        'generate',
        '--bundle',
        bundle.dir,
        ...address,
        '--prompt',
        'A valve',
        '--max-new-tokens',
        '12',
      ]);
      const flags = ['--bundle', bundle.dir, ...address];
      const small = ['--draft-model', packDir(await other())];
      const chat = (...more: readonly string[]) =>
        cutlayerAsked(['client', 'chat', ...flags, '--max-new-tokens', '12', ...more], ['Which part?', 'And then?']);
      const undrafted = await chat('--draft-tokens', '0');
      assert.equal(await begunIn(async () => assert.deepEqual(await chat(...small), undrafted)), 2, 'a sequence for each answer');
      // Standard output has no control characters of a model.
      const shown = (text: string): string => text.replace(/\p{Cc}/gu, '');
      assert.equal(await begunIn(async () => assert.equal(shown(await served([...flags, ...small], 'A valve')), shown(plain.stdout))), 1);
      const alien = ['--draft-model', packDir(await packedWith('alien', {}, '\n'))];
      for (const refused of [await chat(...alien), await cutlayerHere(['client', 'serve', ...flags, ...alien])]) {
        assert.notEqual(refused.code, 0);
        assert.match(refused.stderr, /INVALID_ARGUMENT: draft model: alien .* has another tokenizer than llama-tiny /);
      }
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
