import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TextTokenizer } from '../../../clients/typescript/index.js';
import { loadBackbone, loadClientBundle } from '../../../src/artifacts/store.js';
import type { PackResult } from '../../../src/compiler/pack/bundle-writer.js';
import { cutlayerHere } from '../../support/command-here.js';
import { fixtureDir } from '../../support/packed-model.js';

const main = fileURLToPath(new URL('../../../src/main.js', import.meta.url));

function cutlayer(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** A parsed file that a test changes. */
type Edited = Record<string, unknown>;

describe('cutlayer pack', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cutlayer-pack-command-'));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it('packs, shows progress as lines on stderr where that is no terminal, and prints what each side holds', async () => {
    const { code, stdout, stderr } = await cutlayer('pack', fixtureDir('llama-tiny'), '--out', join(root, 'a'), '-k', '1', '-m', '1');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^model +llama-tiny\nbackbone .*parameters \(\d+\.\d %\)\nclient bundle .*parameters/);
    assert.match(stderr, /packing: 100 %/);
    assert.deepEqual((await loadBackbone(join(root, 'a', 'backbone'))).manifest.cut, { bottom: 1, top: 1, numLayers: 4 });
    await loadClientBundle(join(root, 'a', 'client-bundle'));
  });

  it('prints one JSON line on stdout when asked to', async () => {
    const { stdout, stderr } = await cutlayerHere(['pack', fixtureDir('gpt2-tiny'), '--out', join(root, 'b'), '--json']);
    const result = JSON.parse(stdout) as PackResult;
    assert.equal((await loadBackbone(result.backboneDir)).digest, result.backboneDigest);
    assert.match(stderr, /no tokenizer.json/);
  });

  describe('of a tokenizer', () => {
    /** Packs llama-tiny with changed tokenizer files. */
    const packed = async (
      name: string,
      change: (files: { json: Edited; config: Edited }) => void,
      others: Readonly<Record<string, object>> = {},
    ) => {
      const dir = join(root, `${name}-checkpoint`);
      await cp(fixtureDir('llama-tiny'), dir, { recursive: true });
      const read = async (file: string) => JSON.parse(await readFile(join(dir, file), 'utf8')) as Edited;
      const files = { json: await read('tokenizer.json'), config: await read('tokenizer_config.json') };
      change(files);
      await writeFile(join(dir, 'tokenizer.json'), JSON.stringify(files.json));
      await writeFile(join(dir, 'tokenizer_config.json'), JSON.stringify(files.config));
      for (const [file, value] of Object.entries(others)) await writeFile(join(dir, file), JSON.stringify(value));
      return cutlayerHere(['pack', dir, '--out', join(root, name)]);
    };

    it('says that no file names an eos token', async () => {
      const config = JSON.parse(await readFile(join(fixtureDir('llama-tiny'), 'config.json'), 'utf8')) as Edited;
      const { stderr } = await packed('eos', ({ config }) => delete config.eos_token, { 'config.json': { ...config, eos_token_id: null } });
      assert.match(stderr, /note: no file names an end-of-sequence \(eos\) token: .*not ended/);
    });

    it('says where the configuration disagrees with the post-processor on bos', async () => {
      const { stderr } = await packed('bos', ({ config }) => (config.add_bos_token = false));
      assert.match(stderr, /note: tokenizer_config\.json says add_bos_token false, but .* puts a bos token .*as in transformers 5/);
    });

    it('says where a bundle gives other ids than tokenizer.json by itself', async () => {
      const { stderr } = await packed('ids', ({ config }) =>
        Object.assign(config, { tokenizer_class: 'GPT2Tokenizer', add_prefix_space: true }),
      );
      assert.match(stderr, /note: clients read "Hello, world! 1234" as the ids [\d ]+, as transformers 5 does/);
    });

    it('refuses ids beyond the embedding, and writes nothing', async () => {
      const { code, stderr } = await packed('beyond', ({ config }) => (config.additional_special_tokens = ['<new>']));
      assert.equal(code, 1);
      assert.match(stderr, /UNSUPPORTED_CHECKPOINT: tokenizer: the token "<new>" has the id 320, but the embedding has 320 rows/);
      assert.ok(!(await readdir(root)).includes('beyond'));
    });

    it('copies added_tokens.json and special_tokens_map.json, and says nothing where all agree', async () => {
      const { stderr } = await packed('map', ({ config }) => delete config.eos_token, {
        'special_tokens_map.json': { eos_token: '<|turn|>' },
        'added_tokens.json': { '<|turn|>': 3 },
      });
      assert.doesNotMatch(stderr, /eos|bos|clients read/);
      const { manifest, dir } = await loadClientBundle(join(root, 'map', 'client-bundle'));
      const tokenizer = await TextTokenizer.load(dir, manifest);
      assert.equal(tokenizer.eosTokenId, 3);
      await tokenizer.close();
    });
  });

  it('says what is wrong in one line, exits with 1, and writes nothing', async () => {
    const { code, stderr } = await cutlayerHere(['pack', fixtureDir('gpt2-tiny'), '--out', join(root, 'c'), '--bottom', '4']);
    assert.equal(code, 1);
    assert.match(stderr, /^error INVALID_CUT: cut: bottom 4 \+ top 0 must leave at least one/);
    assert.ok(!(await readdir(root)).some((name) => name.startsWith('c')));
  });

  it('refuses a block count that is no number as a usage error', async () => {
    assert.equal((await cutlayerHere(['pack', 'x', '--out', 'y', '--bottom', '-1'])).code, 2);
    assert.equal((await cutlayerHere(['pack', 'x'])).code, 2);
  });
});
