/** Packing a backbone that comes as a graph: what is tried, what must be said, what is refused. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { loadBackbone, loadClientBundle } from '../../../src/artifacts/store.js';
import { type OnnxPackRequest, packOnnx } from '../../../src/compiler/pack/onnx-pack.js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { openGraphs } from '../../../src/runtime/graphs.js';
import { readTensors, writeTensors } from '../../../src/safetensors/tensors-file.js';
import { type Tensor, tensor } from '../../../src/tensor/tensor.js';
import { onnxFixtures, packOnnxFixture } from '../../support/onnx-fixtures.js';
import { int, ints, type ModelNode, modelBytes, modelFile, tensorMessage } from '../../support/onnx-model.js';
import { fixtureDir } from '../../support/packed-model.js';
import { seeded, uniform } from '../../support/random.js';
import { runSession } from '../../support/session.js';

/** A directory with an embedding and a head of a family that nobody knows, hidden size 4. */
async function bundleDir(
  root: string,
  config: object = {},
  tensors: readonly string[] = ['model.embed_tokens.weight', 'lm_head.weight'],
): Promise<string> {
  const dir = mkdtempSync(join(root, 'bundle-'));
  const base = { model_type: 'acme', vocab_size: 6, hidden_size: 4, max_position_embeddings: 32, tie_word_embeddings: false };
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...base, ...config }));
  const random = seeded(5);
  const weights = tensors.map((name) => [name, uniform('float32', shapeOf(name, tensors), random)]);
  await writeTensors(join(dir, 'model.safetensors'), Object.fromEntries(weights));
  return dir;
}

/** A bias is a vector, but where a test wants it wrong: beside a head of its own. */
function shapeOf(name: string, tensors: readonly string[]): readonly number[] {
  if (name.includes('norm')) return [4];
  return /bias|offsets/.test(name) && !tensors.includes('lm_head.weight') ? [6] : [6, 4];
}

const ofInts = (name: string, ...values: number[]): object =>
  tensorMessage(name, tensor('int64', [values.length], BigInt64Array.from(values, BigInt)));

describe('pack --onnx', () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'cutlayer-onnx-pack-'));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  let outputs = 0;
  const request = (others: Partial<OnnxPackRequest>): OnnxPackRequest => ({
    onnxPath: '',
    bundleFromDir: '',
    outDir: join(root, `out-${outputs++}`),
    openGraphs,
    measure: false,
    ...others,
  });
  async function refuses(others: Partial<OnnxPackRequest>, code: ErrorCode, message: RegExp): Promise<void> {
    const asked = request(others);
    await assert.rejects(packOnnx(asked), (error: unknown) => {
      assert.ok(error instanceof CutlayerError, `${error}`);
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return true;
    });
    assert.deepEqual(
      readdirSync(root).filter((name) => asked.outDir.endsWith(name) || name.includes('.tmp')),
      [],
      'nothing is left behind',
    );
  }

  // ---- what a backbone must be

  const relu: ModelNode = { op: 'Relu', name: 'act', inputs: ['x'] };
  const add = (other: string): ModelNode => ({ op: 'Add', name: 'sum', inputs: ['x', other] });
  const bytes = (nodes: readonly ModelNode[], initializers: readonly object[] = []): string =>
    modelFile(modelBytes({ nodes, initializers }));
  /** Attention over everything, or what `masked` leaves. */
  const attention = (masked: readonly ModelNode[], scores: string): readonly ModelNode[] => [
    { op: 'Transpose', name: 't', inputs: ['x'], outputs: ['xt'], attributes: { perm: ints(0, 2, 1) } },
    { op: 'MatMul', name: 'scores', inputs: ['x', 'xt'], outputs: ['s'] },
    ...masked,
    { op: 'Softmax', name: 'p', inputs: [scores], outputs: ['p'] },
    { op: 'MatMul', name: 'mix', inputs: ['p', 'x'], outputs: ['y'] },
  ];
  const notCausal: readonly (readonly [what: string, path: () => string, message: RegExp])[] = [
    [
      'attends to later rows',
      () => bytes(attention([], 's')),
      /position 0 of the output depends on position \d+ of the input or a later one/,
    ],
    [
      'takes the row after each but the first three',
      () =>
        bytes(
          [
            { op: 'Slice', name: 'head', inputs: ['x', 'zero', 'three', 'one'], outputs: ['first'] },
            { op: 'Slice', name: 'tail', inputs: ['x', 'four', 'last', 'one'], outputs: ['next'] },
            { op: 'Slice', name: 'end', inputs: ['x', 'minus', 'last', 'one'], outputs: ['end'] },
            { op: 'Concat', name: 'join', inputs: ['first', 'next', 'end'], outputs: ['shifted'], attributes: { axis: int(1) } },
            add('shifted'),
          ],
          [ofInts('zero', 0), ofInts('one', 1), ofInts('three', 3), ofInts('four', 4), ofInts('minus', -1), ofInts('last', 2 ** 40)],
        ),
      /position 3 of the output depends on position 4 of the input/,
    ],
    [
      'mixes the sequences of a batch',
      () => bytes([{ op: 'ReduceMean', name: 'm', inputs: ['x', 'axes'], outputs: ['m'] }, add('m')], [ofInts('axes', 0)]),
      /sequence 1 of a batch depends on sequence 0/,
    ],
    [
      'knows how long the batch is',
      () =>
        bytes(
          [
            { op: 'Shape', name: 'n', inputs: ['x'], outputs: ['n'], attributes: { start: int(1), end: int(2) } },
            { op: 'Cast', name: 'f', inputs: ['n'], outputs: ['f'], attributes: { to: int(1) } },
            add('f'),
          ],
          [],
        ),
      /position 0 of the output is another when the same sequence is sent alone and 6 long instead of in a batch and 12 long/,
    ],
  ];
  for (const [what, path, message] of notCausal) {
    it(`refuses a backbone that ${what}`, async () => {
      await refuses({ onnxPath: path(), bundleFromDir: await bundleDir(root), finalNorm: 'backbone' }, 'NOT_CAUSAL', message);
    });
  }

  it('packs causal attention, a triangle having taken the later rows away', async () => {
    const masked: readonly ModelNode[] = [
      { op: 'Exp', name: 'e', inputs: ['s'], outputs: ['e'] },
      { op: 'Trilu', name: 'mask', inputs: ['e'], outputs: ['seen'], attributes: { upper: int(0) } },
      { op: 'ReduceSum', name: 'sum', inputs: ['seen', 'last'], outputs: ['sum'] },
      { op: 'Div', name: 'share', inputs: ['seen', 'sum'], outputs: ['share'] },
    ];
    const nodes = [
      ...attention(masked, 's').filter(({ op, name }) => op !== 'Softmax' && name !== 'mix'),
      { op: 'MatMul', name: 'mix', inputs: ['share', 'x'] },
    ];
    const packed = await packOnnx(request({ onnxPath: bytes(nodes, [ofInts('last', -1)]), bundleFromDir: await bundleDir(root) }));
    const { manifest } = await loadBackbone(packed.backboneDir);
    assert.deepEqual(Object.keys(manifest.graphs), ['none', 'softPrompt']);
  });

  it('refuses a backbone whose output is not finite', async () => {
    const path = bytes([{ op: 'Log', name: 'log', inputs: ['x'] }]);
    await refuses(
      { onnxPath: path, bundleFromDir: await bundleDir(root) },
      'INVALID_ONNX',
      /output on random hidden states .* is not finite/,
    );
  });

  // ---- what the directory and the flags must say

  it('writes a backbone and a bundle that are checked like any other, without prefix graphs and bottom', async () => {
    const packed = await packOnnx(
      request({ onnxPath: bytes([relu]), bundleFromDir: await bundleDir(root), name: 'acme-1', measure: true }),
    );
    const { manifest } = await loadBackbone(packed.backboneDir);
    const bundle = await loadClientBundle(packed.clientBundleDir);
    assert.deepEqual(manifest.dims, { hiddenSize: 4, numLayers: 1, numHeads: 0, numKvHeads: 0, headDim: 0, maxPositions: 32 });
    assert.deepEqual([manifest.family, manifest.name, manifest.parameters], ['onnx', 'acme-1', 0]);
    assert.equal(bundle.manifest.backboneDigest, packed.backboneDigest);
    assert.equal(bundle.manifest.parameters, 48);
    assert.equal(bundle.manifest.graphs.bottom, undefined);
    assert.equal(bundle.manifest.tiedHead, false);
    const { tokens, cut, output } = bundle.manifest.wire!;
    assert.ok(tokens === 128 && cut > 0 && output <= cut, 'the largest of a ReLU is one of its input');
    const readme = readFileSync(join(packed.clientBundleDir, 'README.md'), 'utf8');
    assert.match(readme, /a model whose backbone is an imported graph/);
    assert.doesNotMatch(readme, /heads/);
  });

  it('ties the head where the config says so and no head is there', async () => {
    const dir = await bundleDir(root, { tie_word_embeddings: true }, ['transformer.wte.weight']);
    const packed = await packOnnx(request({ onnxPath: bytes([relu]), bundleFromDir: dir }));
    const { manifest } = await loadClientBundle(packed.clientBundleDir);
    assert.deepEqual([manifest.tiedHead, manifest.parameters, manifest.modules.embedTokens], [true, 24, 'transformer.wte']);
  });

  it('takes tensors by the names it is given', async () => {
    const dir = await bundleDir(root, {}, ['in.table', 'out.table']);
    const packed = await packOnnx(
      request({ onnxPath: bytes([relu]), bundleFromDir: dir, embedTensor: 'in.table', headTensor: 'out.table' }),
    );
    assert.equal((await loadClientBundle(packed.clientBundleDir)).manifest.parameters, 48);
  });

  const both = ['model.embed_tokens.weight', 'lm_head.weight'] as const;
  const unsaid: readonly (readonly [
    what: string,
    config: object,
    tensors: readonly string[],
    options: Partial<OnnxPackRequest>,
    code: ErrorCode,
    message: RegExp,
  ])[] = [
    [
      'does not say where a final norm is applied',
      {},
      [...both, 'model.norm.weight'],
      {},
      'INVALID_CONFIG',
      /--final-norm: the directory holds a final norm, model.norm.weight; say where it is applied: backbone where .* last_hidden_state are/,
    ],
    [
      'wants a final norm that we do not know',
      {},
      [...both, 'model.norm.weight'],
      { finalNorm: 'bundle' },
      'UNSUPPORTED_CONFIG',
      /--final-norm bundle: .*known families only, not for "acme"/,
    ],
    ['has no embedding by a usual name', {}, ['table', 'lm_head.weight'], {}, 'MISSING_TENSOR', /--embed-tensor NAME/],
    [
      'has two embeddings',
      {},
      [...both, 'encoder.embed_tokens.weight'],
      {},
      'INVALID_CONFIG',
      /--embed-tensor: several tensors look like the token embedding/,
    ],
    ['has no head and does not tie it', {}, ['wte.weight'], {}, 'MISSING_TENSOR', /--head-tensor NAME/],
    [
      'has a bias of another size beside its head',
      {},
      [...both, 'lm_head.bias'],
      {},
      'INVALID_SHAPE',
      /lm_head.bias: expected \[6\], got \[6, 4\]/,
    ],
    [
      'scales its logits by a factor that is not said',
      { logit_scale: 0.5 },
      both,
      {},
      'UNSUPPORTED_CONFIG',
      /logit_scale: expected the factor on the logits to be said.*--logit-scale X/,
    ],
    ['names a tensor that is not there', {}, both, { headTensor: 'gone' }, 'MISSING_TENSOR', /lacks gone, the head of the client bundle/],
    [
      'caps its logits in a way that we cannot know',
      { final_logit_softcapping: 30 },
      both,
      {},
      'UNSUPPORTED_CONFIG',
      /final_logit_softcapping/,
    ],
    [
      'projects its embeddings',
      { word_embed_proj_dim: 2 },
      both,
      {},
      'UNSUPPORTED_CONFIG',
      /word_embed_proj_dim: expected 4, the hidden size; got 2/,
    ],
    ['has another hidden size', { hidden_size: 8 }, both, {}, 'INVALID_SHAPE', /expected \[6, 8\], got \[6, 4\]/],
    ['says no longest sequence', { max_position_embeddings: null }, both, {}, 'INVALID_CONFIG', /--max-positions N/],
  ];
  for (const [what, config, tensors, options, code, message] of unsaid) {
    it(`refuses a directory that ${what}`, async () => {
      await refuses({ onnxPath: bytes([relu]), bundleFromDir: await bundleDir(root, config, tensors), ...options }, code, message);
    });
  }

  it('applies a bias of the head and a factor on the logits', async () => {
    const config = { logits_scaling: 2, eos_token_id: 6, tie_word_embeddings: true };
    const packed = async (tensors: readonly string[], options: object): Promise<(rows: Tensor) => Promise<number[]>> => {
      const asked = request({
        onnxPath: bytes([relu]),
        bundleFromDir: await bundleDir(root, config, tensors),
        logitScale: 0.5,
        ...options,
      });
      const { clientBundleDir, notes } = await packOnnx(asked);
      assert.deepEqual(notes, ['config.json: token id 6 lies outside the vocabulary of 6 and is left out']);
      const { manifest } = await loadClientBundle(clientBundleDir);
      const session = await InferenceSession.create(join(clientBundleDir, manifest.graphs.head.plain.file));
      return async (rows) => Array.from((await runSession(session, { rows })).logits!.data, Number);
    };
    const rows = uniform('float32', [3, 4], seeded(8));
    const [table, bias] = ['wte.weight', 'offsets'];
    const [plain, scaled] = [await packed([table], {}), await packed([table], { logitScale: 1.5 })];
    const logits = await plain(rows);
    for (const [i, value] of (await scaled(rows)).entries()) assert.ok(Math.abs(value - 3 * logits[i]!) < 1e-6);
    for (const [names, options] of [
      [[table, 'lm_head.bias'], {}],
      [[table, bias], { headBias: bias }],
    ] as const) {
      const values = (await (await packed(names, options))(rows)).map((value, i) => value - logits[i]!);
      // The bias is the second tensor that the generator of the weights makes.
      const random = seeded(5);
      uniform('float32', [6, 4], random);
      const wanted = uniform('float32', [6], random).data;
      for (const [i, value] of values.entries()) assert.ok(Math.abs(value - 0.5 * Number(wanted[i % 6])) < 1e-6, `${value} at ${i}`);
    }
  });

  it("refuses a graph of another hidden size than the directory's", async () => {
    await refuses(
      { onnxPath: bytes([relu]), bundleFromDir: fixtureDir('llama-tiny'), finalNorm: 'backbone' },
      'INVALID_SHAPE',
      /the graph's is 4, the directory's 32/,
    );
  });

  it('needs to know of a known family too where its final norm is applied', async () => {
    const path = join(fixtureDir('onnx-llama'), 'backbone.onnx');
    await refuses(
      { onnxPath: path, bundleFromDir: fixtureDir('llama-tiny') },
      'INVALID_CONFIG',
      /model.norm.weight; say where it is applied/,
    );
  });

  describe('of a family whose model scales the embeddings that it is given', () => {
    const wide = (): string => modelFile(modelBytes({ nodes: [relu], inputs: [{ name: 'x', shape: ['b', 's', 32] }] }));
    const granite = (others: Partial<OnnxPackRequest>): Partial<OnnxPackRequest> => ({
      onnxPath: wide(),
      bundleFromDir: fixtureDir('granite-tiny'),
      finalNorm: 'bundle',
      ...others,
    });
    const scalesOf = async (embedScale: 'bundle' | 'backbone'): Promise<readonly number[]> => {
      const { clientBundleDir } = await packOnnx(request(granite({ embedScale })));
      const { manifest } = await loadClientBundle(clientBundleDir);
      return [manifest.embedScale, manifest.promptScale];
    };

    it('must be told whether the graph does so', () =>
      refuses(
        granite({}),
        'INVALID_CONFIG',
        /--embed-scale: a granite multiplies the embeddings that it is given by 12; say backbone where the graph does so/,
      ));
    it('scales in the bundle or in the backbone, as it is told', async () => {
      assert.deepEqual(
        [await scalesOf('bundle'), await scalesOf('backbone')],
        [
          [12, 12],
          [1, 1],
        ],
      );
    });
    it('refuses the flag for families that scale in their token embedding', () =>
      refuses(
        granite({ bundleFromDir: fixtureDir('llama-tiny'), embedScale: 'backbone' }),
        'INVALID_CONFIG',
        /--embed-scale: a llama scales in its token embedding, which the bundle holds/,
      ));
  });

  it('needs no more of a directory than embedding, head and norm', async () => {
    const dir = mkdtempSync(join(root, 'ends-'));
    cpSync(join(fixtureDir('llama-tiny'), 'config.json'), join(dir, 'config.json'));
    const { tensors } = await readTensors(join(fixtureDir('llama-tiny'), 'model.safetensors'));
    const ends = [...tensors].filter(([name]) => ['model.embed_tokens.weight', 'model.norm.weight', 'lm_head.weight'].includes(name));
    assert.ok(ends.length >= 2 && ends.length < tensors.size);
    await writeTensors(join(dir, 'model.safetensors'), Object.fromEntries(ends));
    const { clientBundleDir } = await packOnnx(
      request({ onnxPath: join(fixtureDir('onnx-llama'), 'backbone.onnx'), bundleFromDir: dir, finalNorm: 'bundle' }),
    );
    assert.equal(existsSync(join(clientBundleDir, 'tokenizer.json')), false);
  });

  it('stops when it is told to, and leaves nothing behind', async () => {
    const abort = new AbortController();
    const outDir = join(root, 'stopped');
    const work = packOnnxFixture(onnxFixtures[0]!, { outDir, signal: abort.signal, onProgress: () => abort.abort() });
    await assert.rejects(work, (error: Error) => CutlayerError.from(error).code === 'CANCELLED');
    assert.equal(existsSync(outDir), false);
  });

  it('reports every byte that it writes', async () => {
    const seen: { done: number; total: number }[] = [];
    await packOnnxFixture(onnxFixtures[1]!, {
      outDir: join(root, 'progress'),
      onProgress: ({ done, total }) => void seen.push({ done, total }),
    });
    assert.equal(seen.at(-1)!.done, seen.at(-1)!.total);
  });
});
