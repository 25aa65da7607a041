import assert from 'node:assert/strict';
import { partition } from '../../../src/compiler/autodiff/partition.js';
import { byteSize, nominalSizes } from '../../../src/compiler/autodiff/residual-policy.js';
import { vjp } from '../../../src/compiler/autodiff/vjp.js';
import { GraphBuilder } from '../../../src/compiler/onnx/builder.js';
import { symbol } from '../../../src/compiler/onnx/dim.js';
import type { Graph } from '../../../src/compiler/onnx/graph.js';
import { run } from '../../support/session.js';
import { type SmallDecoder, smallDecoder, smallDecoderFeeds } from '../../support/small-decoder.js';

const LAYERS = 3;

function cut({ g, output, cotangent, hiddenStates, softPrompt }: SmallDecoder) {
  const [hiddenStatesCotangent, softPromptCotangent] = vjp(g, {
    outputs: [output],
    cotangents: [cotangent],
    wrt: [hiddenStates, softPrompt],
  });
  const cotangentOutputs = { hiddenStatesCotangent: hiddenStatesCotangent!, softPromptCotangent: softPromptCotangent! };
  return { cotangentOutputs, ...partition(g, { outputs: { output }, cotangentOutputs, cotangents: [cotangent] }) };
}

const namesOf = (ports: Graph['inputs']) => ports.map(({ name }) => name);

describe('partition', () => {
  const decoder = smallDecoder(LAYERS);
  const { forward, vjp: backward, residuals, cotangentOutputs } = cut(decoder);

  for (const [B, S, P] of [
    [2, 3, 2],
    [1, 1, 1],
    [3, 2, 4],
  ] as const) {
    it(`gives in two runs what one graph gives, at B ${B}, S ${S}, P ${P}`, async () => {
      const feeds = smallDecoderFeeds(B, S, P);
      const joint = await run(decoder.g.build({ outputs: { output: decoder.output, ...cotangentOutputs } }), feeds);
      const first = await run(forward, feeds);
      assert.deepEqual(first.output, joint.output);
      const cotangent = feeds.cotangent!;
      const inputs = Object.fromEntries(Object.entries(feeds).filter(([name]) => name !== 'cotangent'));
      const second = await run(backward, { ...inputs, ...first, cotangent });
      for (const name of Object.keys(cotangentOutputs)) {
        for (const [at, want] of joint[name]!.data.entries()) {
          assert.ok(
            Math.abs(Number(second[name]!.data[at]) - Number(want)) <= 1e-6,
            `${name}[${at}]: ${want} against ${second[name]!.data[at]}`,
          );
        }
      }
    });
  }

  it('names residuals in order, as outputs of forward and inputs of vjp', () => {
    const names = residuals.map(({ name }) => name);
    assert.deepEqual(
      names,
      [...names.keys()].map((at) => `residual.${at}`),
    );
    assert.deepEqual(namesOf(forward.outputs), ['output', ...names]);
    const others = namesOf(backward.inputs).filter((name) => !names.includes(name));
    assert.deepEqual(others.sort(), ['cotangent', 'hiddenStates', 'positions', 'softPrompt']);
    assert.deepEqual(namesOf(backward.outputs), Object.keys(cotangentOutputs));
  });

  it('keeps the cotangent out of the forward graph and runs no weight product twice', () => {
    assert.ok(!namesOf(forward.inputs).includes('cotangent'));
    const gemms = (graph: Graph) => graph.ops.filter(({ op }) => op === 'Gemm');
    assert.equal(gemms(forward).length, 4 * LAYERS);
    assert.equal(gemms(backward).length, 4 * LAYERS);
    assert.ok(gemms(backward).every(({ scope }) => scope.startsWith('vjp/')));
  });

  it('adds no work to the forward graph', () => {
    assert.deepEqual(
      forward.ops.map(({ id }) => id).sort((a, b) => a - b),
      decoder.g
        .build({ outputs: { output: decoder.output } })
        .ops.map(({ id }) => id)
        .sort((a, b) => a - b),
    );
  });

  it('computes softmax probabilities and activations again instead of saving them', () => {
    const saved = residuals.map(({ value }) => (value.node.kind === 'op' ? value.node.op : value.node.kind));
    assert.ok(!saved.includes('Softmax') && !saved.includes('Gelu') && !saved.includes('FusedMatMul'), saved.join(' '));
    assert.ok(backward.ops.some(({ op }) => op === 'Softmax'));
    assert.ok(!saved.some((op) => ['Reshape', 'Squeeze', 'Unsqueeze'].includes(op)), 'a view would be copied to be returned');
  });

  it('saves no more than q, k, v, the two residual streams and the inner activation of each layer, and norm statistics', () => {
    const rows = nominalSizes.B! * nominalSizes.S! + nominalSizes.P!;
    const bytes = residuals.reduce((sum, { value }) => sum + byteSize(value), 0);
    const perLayer = rows * (3 * 8 + 2 * 8 + 16 + 4) * 4;
    assert.ok(bytes <= LAYERS * perLayer, `${bytes} bytes against ${LAYERS * perLayer}`);
  });

  it('saves the smaller of a value and what its recomputation needs', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [symbol('B'), 4]);
    const wide = g.gemm({ A: x, B: g.weight('w', 'float32', [4, 64]) });
    const narrow = g.exp(g.reduceSum(wide, [1]));
    const ct = g.input('ct', 'float32', [symbol('B'), 1]);
    const [grad] = vjp(g, { outputs: [narrow], cotangents: [ct], wrt: [x] });
    const { residuals: saved } = partition(g, { outputs: { narrow }, cotangentOutputs: { grad: grad! }, cotangents: [ct] });
    assert.deepEqual(
      saved.map(({ value }) => value),
      [narrow],
    );
  });

  it('saves nothing when the vjp needs no primal value', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [symbol('B'), 4]);
    const y = g.gemm({ A: x, B: g.weight('w', 'float32', [4, 4]) });
    const ct = g.input('ct', 'float32', [symbol('B'), 4]);
    const [grad] = vjp(g, { outputs: [y], cotangents: [ct], wrt: [x] });
    const parts = partition(g, { outputs: { y }, cotangentOutputs: { grad: grad! }, cotangents: [ct] });
    assert.deepEqual(parts.residuals, []);
    assert.deepEqual(namesOf(parts.vjp.inputs), ['ct']);
  });
});
