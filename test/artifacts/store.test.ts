/** Opening artifacts: what a manifest may say, and that every file is what the manifest says. */
import assert from 'node:assert/strict';
import { appendFile, cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestFile, sha256Hex } from '../../src/artifacts/digest.js';
import { isPlainRelativePath } from '../../src/artifacts/manifest.js';
import { loadBackbone, loadClientBundle } from '../../src/artifacts/store.js';
import { pack } from '../../src/compiler/pack/pack.js';
import { fixtureDir } from '../support/packed-model.js';

/** The text of a manifest, changed. */
type Change = (text: string) => string;

type Listed = readonly { readonly path: string }[];

/** Replaces the whole text. */
const replaceBy =
  (text: string): Change =>
  () =>
    text;

/** Replaces the value at a path like `files.0.bytes` by a function of it; undefined removes it. */
function edit<T>(path: string, change: (value: T) => unknown): Change {
  return (text) => {
    const manifest = JSON.parse(text) as Record<string, unknown>;
    const keys = path.split('.');
    const last = keys.pop()!;
    const parent = keys.reduce((value, key) => value[key] as Record<string, unknown>, manifest);
    parent[last] = change(parent[last] as T);
    return JSON.stringify(manifest); // leaves undefined out
  };
}

/** Sets the value at a path. */
const set = (path: string, value: unknown): Change => edit(path, () => value);

/** Removes the value at a path. */
const drop = (path: string): Change => edit(path, () => undefined);

describe('artifacts', () => {
  let root: string;
  let packed: string;
  let next = 0;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cutlayer-artifacts-'));
    packed = join(root, 'packed');
    await pack({ checkpointDir: fixtureDir('llama-tiny'), bottom: 1, top: 1, outDir: packed });
  });
  after(() => rm(root, { recursive: true, force: true }));

  /** A copy of an artifact, changed. */
  async function copyOf(side: 'backbone' | 'client-bundle', change: (dir: string) => Promise<void>): Promise<string> {
    const dir = join(root, `copy-${next++}`);
    await cp(join(packed, side), dir, { recursive: true });
    await change(dir);
    return dir;
  }

  /** A copy whose manifest is changed. */
  function withManifest(side: 'backbone' | 'client-bundle', change: Change): Promise<string> {
    return copyOf(side, async (dir) => {
      const path = join(dir, 'manifest.json');
      await writeFile(path, change(await readFile(path, 'utf8')));
    });
  }

  it('digests a backbone by the bytes of its manifest', async () => {
    const { digest, dir } = await loadBackbone(join(packed, 'backbone'));
    assert.equal(digest, sha256Hex(await readFile(join(dir, 'manifest.json'))));
    const moved = await copyOf('backbone', async () => {});
    assert.equal((await loadBackbone(moved)).digest, digest);
  });

  it('digests files as sha256sum does', async () => {
    const path = join(root, 'abc');
    await writeFile(path, 'abc');
    assert.deepEqual(await digestFile(path), { bytes: 3, sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' }); // FIPS 180-2, B.1
  });

  it('stops digesting when the signal fires', async () => {
    await assert.rejects(loadBackbone(join(packed, 'backbone'), { signal: AbortSignal.abort() }), { name: 'AbortError' });
  });

  it('skips the digest of the weights when asked to, but not their size, and no other digest', async () => {
    const flip = async (path: string): Promise<void> => {
      const bytes = await readFile(path);
      bytes[bytes.length - 1]! ^= 1;
      await writeFile(path, bytes);
    };
    const flipped = await copyOf('backbone', (dir) => flip(join(dir, 'weights.safetensors')));
    await loadBackbone(flipped, { verify: false });
    await assert.rejects(loadBackbone(flipped), { code: 'DIGEST_MISMATCH', message: /weights.safetensors: expected sha256/ });
    const longer = await copyOf('backbone', (dir) => appendFile(join(dir, 'weights.safetensors'), 'x'));
    await assert.rejects(loadBackbone(longer, { verify: false }), { code: 'INVALID_ARTIFACT', message: /expected \d+ bytes, got \d+/ });
    const graph = await copyOf('backbone', (dir) => flip(join(dir, 'forward-none.onnx')));
    await assert.rejects(loadBackbone(graph, { verify: false }), { code: 'DIGEST_MISMATCH', message: /forward-none.onnx/ });
  });

  it('refuses a directory without an artifact, and one artifact in place of the other', async () => {
    await assert.rejects(loadBackbone(join(root, 'absent')), { code: 'NOT_FOUND', message: /no backbone here.*cutlayer pack/ });
    await assert.rejects(loadClientBundle(packed), { code: 'NOT_FOUND', message: /no client bundle here/ });
    await assert.rejects(loadBackbone(join(packed, 'client-bundle')), { code: 'INVALID_ARTIFACT', message: /format/ });
    await assert.rejects(loadClientBundle(join(packed, 'backbone')), { code: 'INVALID_ARTIFACT', message: /format/ });
  });

  it('refuses a missing file, a link in its place, and a directory that links out', async () => {
    const missing = await copyOf('backbone', (dir) => rm(join(dir, 'vjp-prefix.onnx')));
    await assert.rejects(loadBackbone(missing), {
      code: 'INVALID_ARTIFACT',
      message: /vjp-prefix.onnx: the manifest names this file, but it is missing/,
    });
    const linked = await copyOf('backbone', async (dir) => {
      await rename(join(dir, 'weights.safetensors'), join(root, 'elsewhere'));
      await symlink(join(root, 'elsewhere'), join(dir, 'weights.safetensors'));
    });
    await assert.rejects(loadBackbone(linked), { code: 'INVALID_ARTIFACT', message: /expected a regular file, got a link/ });
    const outside = join(root, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'x'), 'abc');
    const through = await withManifest(
      'backbone',
      edit('files', (files: Listed) => [...files, { path: 'sub/x', bytes: 3, sha256: sha256Hex('abc') }]),
    );
    await symlink(outside, join(through, 'sub'));
    await assert.rejects(loadBackbone(through), { code: 'INVALID_ARTIFACT', message: /lies outside the artifact directory/ });
  });

  it('tells plain paths from all others', () => {
    for (const path of ['a', 'a/b.onnx', '.hidden', 'a..b', '...']) assert.ok(isPlainRelativePath(path), path);
    for (const path of ['', '.', '..', '../a', 'a/../b', 'a/..', '/a', 'a//b', 'a/', './a', 'C:a', 'a\\b', 'a\0', 'a\n'])
      assert.ok(!isPlainRelativePath(path), path);
  });

  const refusedBackbones: readonly (readonly [name: string, change: Change, message: RegExp])[] = [
    ['text that is no JSON', replaceBy('{'), /expected JSON/],
    ['null', replaceBy('null'), /expected object/],
    ['a list', replaceBy('[]'), /expected object/],
    ['another format', set('format', 'other'), /at format: .*, got "other"; .*backbone\/ is for gateways and client-bundle\/ for clients/],
    ['no format', set('format', undefined), /at format: .*; copy or pack it again/],
    ['format version 1', set('formatVersion', 1), /at formatVersion: expected 2, got 1; pack the checkpoint again/],
    ['a format version that is no number', set('formatVersion', '2'), /at formatVersion/],
    ['a key of no meaning', set('extra', 1), /extra/],
    ['no name', drop('name'), /at name/],
    ['an empty name', set('name', ''), /at name/],
    ['a name that is a number', set('name', 1), /at name/],
    ['another element type', set('dtype', 'float16'), /at dtype/],
    ['another position convention', set('positions', 'textRowsFirst'), /at positions/],
    ['a cut that does not add up', set('cut.bottom', 2), /bottom 2 \+ backbone 2 \+ top 1 blocks are not the model's 4/],
    ['a negative cut', set('cut.top', -1), /at cut.top/],
    ['no blocks', set('dims.numLayers', 0), /at dims.numLayers/],
    ['a million blocks', set('dims.numLayers', 1_000_000), /at dims.numLayers/],
    ['a fractional hidden size', set('dims.hiddenSize', 31.5), /at dims.hiddenSize/],
    ['a hidden size of 2^53', set('dims.hiddenSize', 2 ** 53), /at dims.hiddenSize/],
    ['key/value heads that do not divide the heads', set('dims.numKvHeads', 3), /3 does not divide numHeads 4/],
    ['no prefix graphs', drop('graphs.prefix'), /at graphs.prefix/],
    ['a graph without outputs', set('graphs.none.forward.outputs', []), /at graphs.none.forward.outputs/],
    ['a residual that forward does not give', set('graphs.none.residuals', ['residual.99']), /residual.99 is not an output of forward/],
    ['a residual that the vjp does not take', set('graphs.none.residuals', ['output']), /output is not an input of vjp/],
    ['no forward without residuals', drop('graphs.softPrompt.infer'), /at graphs.softPrompt.infer/],
    [
      'an input that only the forward without residuals takes',
      set('graphs.none.infer.inputs', ['other']),
      /other is not an input of forward/,
    ],
    [
      'an output that only the forward without residuals gives',
      set('graphs.none.infer.outputs', ['other']),
      /other is not an output of forward/,
    ],
    ['residuals of the forward without any', set('graphs.none.infer.outputs', ['output', 'residual.0']), /residual.0 is a residual/],
    ['a graph file above the directory', set('graphs.none.vjp.file', '../vjp.onnx'), /at graphs.none.vjp.file: expected a plain path/],
    ['a weights file at an absolute path', set('weightsFile', '/etc/passwd'), /at weightsFile: expected a plain path/],
    ['a listed file above the directory', set('files.0.path', 'a/../../b'), /at files.0.path: expected a plain path/],
    ['a listed file with a NUL in its name', set('files.0.path', 'a\0b'), /at files.0.path/],
    ['a file listed twice', edit('files', (files: Listed) => [...files, files[0]]), /is listed twice/],
    [
      'a graph file that is not listed',
      edit('files', (files: Listed) => files.filter(({ path }) => path !== 'vjp-none.onnx')),
      /vjp-none.onnx is used by the manifest but has no digest/,
    ],
    ['a weights file that is not listed', set('weightsFile', 'other.safetensors'), /other.safetensors is used/],
    ['no files', set('files', []), /at files/],
    ['257 files', edit('files', ([file]: Listed) => Array.from({ length: 257 }, (_, i) => ({ ...file, path: `f${i}` }))), /at files/],
    ['a digest in upper case', edit('files.0.sha256', (digest: string) => digest.toUpperCase()), /64 lower-case hex digits/],
    ['a digest that is too short', set('files.0.sha256', 'ab'), /64 lower-case hex digits/],
    ['a negative size', set('files.0.bytes', -1), /at files.0.bytes/],
    ['a size that is not the file’s', edit('files.0.bytes', (bytes: number) => bytes + 1), /expected \d+ bytes, got \d+/],
  ];

  for (const [name, change, message] of refusedBackbones) {
    it(`refuses a backbone manifest with ${name}`, async () => {
      await assert.rejects(loadBackbone(await withManifest('backbone', change)), { code: 'INVALID_ARTIFACT', message });
    });
  }

  const refusedBundles: readonly (readonly [name: string, change: Change, message: RegExp])[] = [
    ['no backbone digest', drop('backboneDigest'), /at backboneDigest/],
    ['a vocabulary of 0', set('vocabSize', 0), /at vocabSize/],
    ['a negative end token', set('eosTokenIds', [-1]), /at eosTokenIds.0/],
    ['a padding token left out', drop('padTokenId'), /at padTokenId/],
    ['an embedding scale of 0', set('embedScale', 0), /at embedScale/],
    ['a tokenizer file above the directory', set('tokenizerFiles', ['../tokenizer.json']), /at tokenizerFiles.0/],
    ['a tokenizer file that is not listed', edit('tokenizerFiles', (files: Listed) => [...files, 'vocab.json']), /vocab.json is used/],
    ['no loss graph', drop('graphs.loss'), /at graphs.loss/],
    ['no plain loss graph', drop('graphs.loss.plain'), /at graphs.loss.plain/],
    ['no likelihood graphs', drop('graphs.likelihood'), /at graphs.likelihood/],
    ['a likelihood graph that is not listed', set('graphs.likelihood.lora.file', 'x.onnx'), /x.onnx is used/],
    ['a tied head without likelihoods for trained tokens', drop('graphs.likelihood.loraTokens'), /at graphs.likelihood: expected tokens/],
    [
      'a tied head without graphs for trained tokens',
      drop('graphs.head.tokens'),
      /at graphs.head: expected tokens and loraTokens exactly where/,
    ],
    ['no classifier', drop('graphs.classifier'), /at graphs.classifier/],
    ['an unknown method graph', set('graphs.methods.other', 1), /at graphs.methods/],
    ['a method graph that is not listed', set('graphs.methods.loraMerge.vjp.file', 'x.onnx'), /x.onnx is used/],
    ['a bottom without trained graphs', drop('graphs.bottom.trained'), /at graphs.bottom.trained: expected trained graphs exactly where/],
    ['a top without graphs for decoding', drop('graphs.decode.top'), /at graphs.decode.top: expected graphs exactly where/],
    ['keys of another size', set('graphs.decode.bottom.trained.keyShape', [3]), /at graphs.decode.bottom.trained.keyShape: expected/],
    ['a decode graph that is not listed', set('graphs.decode.top.frozen.file', 'x.onnx'), /x.onnx is used/],
    ['no weights of its top block', set('blockWeights.top', []), /at blockWeights.top: expected weights of blocks 3, got none/],
    ['weights of a block of the vendor', edit('blockWeights.bottom', ([weight]: object[]) => [{ ...weight, layer: 1 }]), /expected weights of blocks 0, got 1/], // biome-ignore format: a table
    ['a prompt scale of 0', set('promptScale', 0), /at promptScale/],
    ['no name of the head', drop('modules.head'), /at modules.head/],
    ['another linear layout', set('linearLayout', 'outOut'), /at linearLayout/],
    ['a bottom without its prefix graphs', drop('graphs.bottom.prefix'), /at graphs.bottom.prefix/],
    ['a top graph that is not listed', set('graphs.top.none.vjp.file', 'x.onnx'), /x.onnx is used/],
  ];

  for (const [name, change, message] of refusedBundles) {
    it(`refuses a client bundle manifest with ${name}`, async () => {
      await assert.rejects(loadClientBundle(await withManifest('client-bundle', change)), { code: 'INVALID_ARTIFACT', message });
    });
  }

  it('refuses a manifest of 17 MB and one that is a link', async () => {
    const large = await copyOf('backbone', (dir) => writeFile(join(dir, 'manifest.json'), ' '.repeat(17 << 20)));
    await assert.rejects(loadBackbone(large), { code: 'INVALID_ARTIFACT', message: /at most 16777216 bytes/ });
    const linked = await copyOf('backbone', async (dir) => {
      await rename(join(dir, 'manifest.json'), join(dir, 'real.json'));
      await symlink('real.json', join(dir, 'manifest.json'));
    });
    await assert.rejects(loadBackbone(linked), { code: 'INVALID_ARTIFACT', message: /expected a regular file/ });
  });
});
