import assert from 'node:assert/strict';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { GraphBuilder } from '../../../src/compiler/onnx/builder.js';
import { positivePart, shareOf, sizeDefinition } from '../../../src/compiler/onnx/computed-dim.js';
import { addDims, type Dim, dimsEqual, dimText, multiplyDims, subtractDims, symbol } from '../../../src/compiler/onnx/dim.js';
import { encodeModel } from '../../../src/compiler/onnx/encoder.js';

const [B, S, P] = [symbol('B'), symbol('S'), symbol('P')];
const behind = subtractDims(addDims(P, multiplyDims(3, shareOf(S, 4))), 5);

describe('computed dimensions', () => {
  it('are a share rounded down, of a number or a symbol', () => {
    assert.equal(shareOf(7, 2), 3);
    assert.ok(dimsEqual(shareOf(S, 1), S));
    assert.equal(dimText(shareOf(S, 2)), 'S_over_2');
    assert.equal(dimText(subtractDims(S, shareOf(S, 2))), 'S-S_over_2');
    const rows = addDims(P, multiplyDims(B, S));
    assert.throws(() => shareOf(rows, 2), { code: 'INVALID_GRAPH', message: 'share: expected a number or one symbol, got B*S+P' });
  });

  it('are 0 in place of a negative dimension', () => {
    assert.equal(positivePart(-3), 0);
    assert.equal(positivePart(3), 3);
    assert.equal(dimText(positivePart(behind)), 'positive_P_plus_3_times_S_over_4_minus_5_end');
    assert.throws(() => positivePart(addDims(symbol('S_minus_1'), P)), {
      code: 'INVALID_GRAPH',
      message: /whose name reads as an operator/,
    });
  });

  it('have their definition in their name', () => {
    const defined = (dim: Dim) => {
      const found = sizeDefinition(dimText(dim));
      return found && [found.op, ...found.operands.map(dimText)];
    };
    assert.deepEqual(defined(shareOf(S, 2)), ['Div', 'S', '2']);
    assert.deepEqual(defined(positivePart(behind)), ['Max', '0', 'P+3*S_over_4-5']);
    assert.equal(defined(S), undefined);
  });

  it('get their sizes when a graph runs', async () => {
    const g = new GraphBuilder();
    const [rows, prompt] = [g.input('rows', 'float32', [S]), g.input('prompt', 'float32', [P])];
    const sum = g.add(g.dim(positivePart(behind)), g.dim(positivePart(subtractDims(shareOf(S, 4), P))));
    const session = await InferenceSession.create(encodeModel(g.build({ outputs: { sum }, inputs: [rows, prompt] })));
    const sizes = async (s: number, p: number): Promise<number> => {
      const feeds = { rows: new Tensor('float32', new Float32Array(s), [s]), prompt: new Tensor('float32', new Float32Array(p), [p]) };
      return Number((await session.run(feeds)).sum!.data[0]);
    };
    for (const [s, p] of [
      [0, 0],
      [3, 5],
      [9, 0],
      [9, 1],
      [23, 4],
    ] as const)
      assert.equal(
        await sizes(s, p),
        Math.max(0, p + 3 * Math.floor(s / 4) - 5) + Math.max(0, Math.floor(s / 4) - p),
        `S = ${s}, P = ${p}`,
      );
    await session.release();
  });
});
