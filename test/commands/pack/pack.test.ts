import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

describe('cutlayer pack', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cutlayer-pack-command-'));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it('packs, shows progress as lines on stderr where that is no terminal, and prints what each side holds', async () => {
    const { code, stdout, stderr } = await cutlayer('pack', fixtureDir('llama-tiny'), '--out', join(root, 'a'), '-k', '1', '-m', '1');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^backbone .*parameters \(\d+\.\d %\)\nclient bundle .*parameters/);
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
