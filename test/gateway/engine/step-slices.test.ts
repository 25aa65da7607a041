/** A large step runs in slices; its results are those of its sequences. */
import assert from 'node:assert/strict';
import type { SpanKind } from '../../../src/artifacts/manifest.js';
import type { BackboneArtifact } from '../../../src/artifacts/store.js';
import { type BackboneEngine, createEngine, type EngineOptions } from '../../../src/gateway/engine/engine.js';
import type { AdapterInput } from '../../../src/gateway/engine/step-inputs.js';
import { sliceStep } from '../../../src/gateway/engine/step-slices.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { checkInputs } from '../../support/checked-inputs.js';
import { tinyBackbone } from '../../support/tiny-backbone.js';

const [hiddenSize, numLayers, P] = [8, 3, 3];
const kinds: readonly SpanKind[] = ['none', 'softPrompt', 'prefix'];

function values(shape: readonly number[], seed: number): Tensor<'float32'> {
  const length = shape.reduce((product, dim) => product * dim, 1);
  return f32(
    shape,
    Float32Array.from({ length }, (_, index) => Math.sin(seed * 12.9898 + index * 78.233)),
  );
}

function adapterOf(kind: SpanKind, tokens = P): AdapterInput {
  if (kind === 'none') return { kind };
  return { kind, value: values(kind === 'softPrompt' ? [tokens, hiddenSize] : [numLayers, 2, tokens, 2, hiddenSize / 2], 0.5) };
}

describe('gateway/engine/step-slices', () => {
  let artifact: BackboneArtifact;
  const open: BackboneEngine[] = [];
  const engine = async (options: Partial<EngineOptions> = {}): Promise<BackboneEngine> => {
    const opened = await createEngine({ artifact, workers: 1, threadsPerWorker: 1, ...options });
    open.push(opened);
    return opened;
  };
  before(async () => {
    artifact = await tinyBackbone({ hiddenSize, numLayers });
  });
  afterEach(async () => {
    for (const opened of open.splice(0)) await opened.close();
  });

  /** Inputs whose wanted rows are every third one, some of the prompt's among them. */
  function inputsOf(kind: SpanKind, batch: number, sequence: number, wanted = (row: number) => row % 3 === 1) {
    const adapter = adapterOf(kind);
    const rows = batch * sequence + (kind === 'softPrompt' ? P : 0);
    const positions = BigInt64Array.from(Array.from({ length: rows }, (_, row) => row).filter(wanted), BigInt);
    return checkInputs({ hiddenStates: values([batch, sequence, hiddenSize], 1), adapter, positions }, artifact.manifest);
  }
  const slicesOf = (batch: number, sequence: number, kind: SpanKind = 'none') => sliceStep(inputsOf(kind, batch, sequence));

  it('leaves a step of less than 1,024 rows whole, and cuts larger ones into whole sequences of at least 512 rows', () => {
    assert.deepEqual(
      [
        [4, 128],
        [3, 256],
        [4, 256],
        [1, 8000],
        [7, 292],
        [8, 256],
        [16, 512],
        [5, 700],
        [3, 2000],
      ].map(([batch, sequence]) => slicesOf(batch!, sequence!).map(({ rows }) => rows)),
      [[512], [768], [512, 512], [8000], [584, 584, 876], Array(4).fill(512), Array(16).fill(512), Array(5).fill(700), [2000, 2000, 2000]],
    );
    const whole = inputsOf('none', 3, 256);
    assert.equal(sliceStep(whole)[0]!.inputs, whole);
  });

  it('makes longer slices beside a soft prompt, whose rows every slice computes and pays for again, up to 2,048 rows', () => {
    const rowsOf = (tokens: number, batch: number): number[] => {
      const hiddenStates = values([batch, 64, hiddenSize], 1);
      const positions = BigInt64Array.from({ length: batch }, (_, at) => BigInt(tokens + at * 64));
      return sliceStep(checkInputs({ hiddenStates, adapter: adapterOf('softPrompt', tokens), positions }, artifact.manifest)).map(
        ({ rows }) => rows,
      );
    };
    assert.deepEqual(
      [rowsOf(16, 32), rowsOf(30, 48), rowsOf(1000, 64), rowsOf(1000, 1)],
      [[1040, 1040], [1566, 1566], [3048, 3048], [1064]],
    );
  });

  for (const kind of kinds) {
    it(`answers the rows of each sequence as if it were alone, and the sums over the batch, with ${kind}`, async () => {
      const [batch, sequence] = [6, 350];
      const prompt = kind === 'softPrompt' ? P : 0;
      const inputs = inputsOf(kind, batch, sequence);
      assert.equal(sliceStep(inputs).length, 3);
      const cotangent = values([inputs.positions.length, hiddenSize], 9);
      const opened = await engine();
      const output = await opened.forward({ tenant: 'acme', stepId: 'x', inputs, training: true });
      const back = { tenant: 'acme', stepId: 'x', wantHiddenStates: true };
      const result = await opened.backward({ ...back, cotangent: f32(cotangent.shape, cotangent.data.slice()) });
      const sums = new Float64Array(result.adapterCotangent?.data.length ?? 0);
      let at = 0;
      for (let one = 0; one < batch; one++) {
        const [from, to] = [prompt + one * sequence, prompt + (one + 1) * sequence];
        const own = inputs.positions.filter((row) => (row >= from && row < to) || (one === 0 && row < prompt));
        const positions = own.map((row) => (row < prompt ? row : row - BigInt(one * sequence)));
        const span = (tensor: Tensor<'float32'>, begin: number, end: number) => tensor.data.slice(begin * hiddenSize, end * hiddenSize);
        const hiddenStates = f32([1, sequence, hiddenSize], span(inputs.hiddenStates, one * sequence, (one + 1) * sequence));
        const alone = checkInputs({ hiddenStates, adapter: inputs.adapter, positions }, artifact.manifest);
        const key = { tenant: 'acme', stepId: `alone-${one}` };
        near((await opened.forward({ ...key, inputs: alone, training: true })).data, span(output, at, at + own.length));
        const ct = f32([own.length, hiddenSize], span(cotangent, at, at + own.length));
        const { adapterCotangent, hiddenStatesCotangent } = await opened.backward({ ...key, cotangent: ct, wantHiddenStates: true });
        near(hiddenStatesCotangent!.data, span(result.hiddenStatesCotangent!, one * sequence, (one + 1) * sequence));
        adapterCotangent?.data.forEach((value, index) => {
          sums[index]! += value;
        });
        at += own.length;
      }
      near(result.adapterCotangent?.data ?? [], sums);
      assert.equal(result.adapterCotangent === undefined, kind === 'none');
    });

    it(`gives the same bits when the residuals of a large step were evicted, in part or all, with ${kind}`, async () => {
      const inputs = inputsOf(kind, 6, 700);
      const results = [];
      for (const residualMemoryBytes of [2 ** 30, 400_000]) {
        const opened = await engine({ residualMemoryBytes });
        const key = { tenant: 'acme', stepId: 'x' };
        await opened.forward({ ...key, inputs, training: true });
        for (let again = 0; again < 2; again++) {
          const cotangent = values([inputs.positions.length, hiddenSize], 9);
          results.push(await opened.backward({ ...key, cotangent, wantHiddenStates: true }));
          assert.equal(opened.stats().recomputes, again + (residualMemoryBytes < 2 ** 30 ? 1 : 0));
        }
      }
      for (const result of results) assert.deepEqual(result, results[0]);
    });
  }

  it('runs only slices with a wanted row, and gives zeros for the hidden states of the others', async () => {
    const opened = await engine();
    const inputs = inputsOf('softPrompt', 16, 512, (row) => row === P + 9 * 512 + 4);
    const key = { tenant: 'acme', stepId: 'x' };
    await opened.forward({ ...key, inputs, training: true });
    const back = await opened.backward({ ...key, cotangent: values([1, hiddenSize], 2), wantHiddenStates: true });
    assert.deepEqual([opened.stats().ops.forward.count, opened.stats().ops.vjp.count], [1, 1]);
    const { shape, data } = back.hiddenStatesCotangent!;
    assert.deepEqual(shape, [16, 512, hiddenSize]);
    const row = (9 * 512 + 4) * hiddenSize;
    assert.deepEqual(
      [...data].flatMap((value, index) => (value === 0 ? [] : [index])),
      Array.from({ length: hiddenSize }, (_, index) => row + index),
    );
  });

  it('does not change the arrays of a step that is not for training when it is cut', async () => {
    const opened = await engine();
    const inputs = inputsOf('none', 16, 512);
    const first = await opened.forward({ tenant: 'acme', stepId: 'x', inputs, training: false });
    assert.deepEqual(await opened.forward({ tenant: 'acme', stepId: 'y', inputs, training: false }), first);
  });
});

function near(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  assert.equal(actual.length, expected.length);
  const scale = Math.max(1, ...Array.from(expected, Math.abs));
  const worst = Math.max(0, ...Array.from(actual, (value, index) => Math.abs(value - expected[index]!)));
  assert.ok(worst <= 1e-5 * scale, `${worst} apart, at a scale of ${scale}`);
}
