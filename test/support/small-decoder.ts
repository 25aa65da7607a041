/**
 * A small decoder with soft-prompt rows, symbolic sizes and frozen random weights: what the
 * compiler's parts meet in use.
 */
import { GraphBuilder } from '../../src/compiler/onnx/builder.js';
import { type Dim, multiplyDims, symbol } from '../../src/compiler/onnx/dim.js';
import type { Value } from '../../src/compiler/onnx/value.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { seeded, uniform } from './random.js';

const WIDTH = 8;
const HEADS = 2;
const HEAD_DIM = WIDTH / HEADS;
const INNER = 16;

/** A decoder's graph under construction, with its ports. */
export interface SmallDecoder {
  readonly g: GraphBuilder;
  readonly hiddenStates: Value;
  readonly softPrompt: Value;
  readonly output: Value;
  readonly cotangent: Value;
  /** The frozen parameters. */
  readonly weights: readonly Value[];
}

/**
 * Builds the decoder: `layers` blocks of attention and a feed-forward sublayer over rows [P + B*S,
 * 8].
 */
export function smallDecoder(layers: number): SmallDecoder {
  const g = new GraphBuilder();
  const [B, S, P, N] = [symbol('B'), symbol('S'), symbol('P'), symbol('N')];
  const textRows = multiplyDims(B, S);
  const random = seeded(11);
  const weights: Value[] = [];
  const weight = (...shape: readonly number[]): Value => {
    const value = g.constant(uniform('float32', shape, random, -0.5, 0.5));
    weights.push(value);
    return value;
  };
  const hiddenStates = g.input('hiddenStates', 'float32', [B, S, WIDTH]);
  const softPrompt = g.input('softPrompt', 'float32', [P, WIDTH]);
  const positions = g.input('positions', 'int64', [N]);

  const norm = (x: Value): Value => g.layerNormalization({ X: x, Scale: weight(WIDTH), B: weight(WIDTH) });
  const linear = (x: Value, width: number, outputs: number): Value =>
    g.gemm({ A: x, B: weight(outputs, width), C: weight(outputs) }, { transB: 1 });
  const scores = (q: Value, k: Value): Value => g.fusedMatMul(q, k, { transB: 1, alpha: 1 / Math.sqrt(HEAD_DIM) });
  const causal = (rows: Dim): Value =>
    g.where(g.lessOrEqual(g.range(0, rows), g.unsqueeze(g.range(0, rows), [1])), g.scalar(0), g.scalar(-1e9));

  const attention = (x: Value): Value => {
    const parts = g.split(linear(x, WIDTH, 3 * WIDTH), [WIDTH, WIDTH, WIDTH], 1).map((part) => {
      const [prompt, text] = g.split(g.reshape(part, [part.shape[0]!, HEADS, HEAD_DIM]), [P, textRows], 0);
      return { prompt: g.transpose(prompt!, [1, 0, 2]), text: g.transpose(g.reshape(text!, [B, S, HEADS, HEAD_DIM]), [0, 2, 1, 3]) };
    });
    const [q, k, v] = parts as [(typeof parts)[0], (typeof parts)[0], (typeof parts)[0]];
    const ofPrompt = g.matMul(g.softmax(g.add(scores(q.prompt, k.prompt), causal(P))), v.prompt); // [heads, P, headDim]
    const mixed = g.softmax(g.concat([scores(q.text, k.prompt), g.add(scores(q.text, k.text), causal(S))], -1)); // [B, heads, S, P + S]
    const [toPrompt, toText] = g.split(mixed, [P, S], 3);
    const ofText = g.add(g.matMul(toPrompt!, v.prompt), g.matMul(toText!, v.text)); // [B, heads, S, headDim]
    const rows = [g.reshape(g.transpose(ofPrompt, [1, 0, 2]), [P, WIDTH]), g.reshape(g.transpose(ofText, [0, 2, 1, 3]), [textRows, WIDTH])];
    return linear(g.concat(rows, 0), WIDTH, WIDTH); // [P + B*S, WIDTH]
  };

  let x = g.concat([softPrompt, g.reshape(hiddenStates, [textRows, WIDTH])], 0); // [P + B*S, WIDTH]
  for (let layer = 0; layer < layers; layer++) {
    g.scoped(`layers.${layer}`, () => {
      x = g.add(x, attention(norm(x)));
      x = g.add(x, linear(g.gelu(linear(norm(x), WIDTH, INNER), 'tanh'), INNER, WIDTH));
    });
  }
  return { g, hiddenStates, softPrompt, output: g.gather(x, positions), cotangent: g.input('cotangent', 'float32', [N, WIDTH]), weights };
}

/** Feeds of the given sizes; the positions repeat a row. */
export function smallDecoderFeeds(B: number, S: number, P: number): Readonly<Record<string, Tensor>> {
  const random = seeded(B * 100 + S * 10 + P);
  const positions = [P, P + B * S - 1, 0, P];
  return {
    hiddenStates: uniform('float32', [B, S, WIDTH], random),
    softPrompt: uniform('float32', [P, WIDTH], random),
    positions: tensor('int64', [positions.length], BigInt64Array.from(positions, BigInt)),
    cotangent: uniform('float32', [positions.length, WIDTH], random),
  };
}
