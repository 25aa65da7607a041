/**
 * The frequencies and factors of every rope type, read back from the graph's own rotation, against transformers 5.18's ROPE_INIT_FUNCTIONS
 * (float32, eight digits), and which part of a head is turned.
 */
import assert from 'node:assert/strict';
import { rotate, rotation } from '../../../src/compiler/models/rope.js';
import { longestSequence, type RopeSettings, ropeSpecOf } from '../../../src/compiler/models/rope-config.js';
import { GraphBuilder } from '../../../src/compiler/onnx/builder.js';
import { symbol } from '../../../src/compiler/onnx/dim.js';
import { f32, tensor } from '../../../src/tensor/tensor.js';
import { run } from '../../support/session.js';

interface Case {
  readonly settings: RopeSettings;
  /** `max_position_embeddings` */
  readonly max: number;
  /** The length of the batch. */
  readonly length?: number;
  readonly frequencies: readonly number[];
  readonly factor?: number;
  readonly longest?: number;
}

const longrope = {
  rope_type: 'longrope',
  rope_theta: 10000,
  original_max_position_embeddings: 16,
  short_factor: [1, 1.1, 1.3, 1.7],
  long_factor: [1.5, 2, 4, 9],
};
const long = [0.66666669, 0.050000001, 0.0024999999, 0.00011111111];
const dynamic = { settings: { rope_type: 'dynamic', rope_theta: 10000, factor: 4 }, max: 8, longest: 32 };
const yarn = { rope_type: 'yarn', rope_theta: 10000, factor: 8, original_max_position_embeddings: 8192 };

const cases: Readonly<Record<string, Case>> = {
  default: { settings: { rope_theta: 10000 }, max: 64, frequencies: [1, 0.1, 0.01, 0.001] },
  linear: { settings: { rope_type: 'linear', factor: 4 }, max: 64, frequencies: [0.25, 0.025, 0.0024999999, 0.00025] },
  'dynamic, up to the trained length': { ...dynamic, length: 8, frequencies: [1, 0.1, 0.0099999998, 0.001] },
  'dynamic, beyond it': { ...dynamic, length: 13, frequencies: [1, 0.065863378, 0.0043379846, 0.00028571428] },
  'dynamic, at factor times it': { ...dynamic, length: 32, frequencies: [1, 0.042529035, 0.0018087189, 7.6923076e-5] },
  yarn: { settings: yarn, max: 32768, frequencies: [1, 0.1, 0.0070833326, 0.00041666668], factor: 1.2079441541679836, longest: 65536 },
  'yarn with another ramp, its ends not rounded, and mscales': {
    settings: { ...yarn, truncate: false, mscale: 0.7, mscale_all_dim: 1.3, beta_fast: 16, beta_slow: 2 },
    max: 65536,
    frequencies: [1, 0.31622776, 0.1, 0.031622779, 0.0091385553, 0.0013579067, 0.00012500001, 3.9528473e-5],
    factor: 0.9017839869787123,
  },
  'longrope, short': {
    settings: longrope,
    max: 64,
    length: 16,
    frequencies: [1, 0.090909094, 0.0076923077, 0.00058823527],
    factor: 1.224744871391589,
  },
  'longrope, long': { settings: longrope, max: 64, length: 17, frequencies: long, factor: 1.224744871391589 },
  'longrope with a factor': { settings: { ...longrope, factor: 32 }, max: 64, length: 17, frequencies: long, factor: 1.5 },
  'longrope with an attention factor': {
    settings: { ...longrope, attention_factor: 1.25 },
    max: 64,
    length: 17,
    frequencies: long,
    factor: 1.25,
  },
  llama3: {
    settings: {
      rope_type: 'llama3',
      rope_theta: 500000,
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    },
    max: 131072,
    frequencies: [1, 0.19392276, 0.037606031, 0.0072926651, 0.00052484602, 3.4281024e-5, 6.6478697e-6, 1.2891732e-6],
  },
};

describe('models: rope', () => {
  for (const [name, { settings, max, length = 5, frequencies, factor = 1, longest }] of Object.entries(cases)) {
    it(`turns by transformers' angles: ${name}`, async () => {
      const rotaryDim = 2 * frequencies.length;
      const rope = ropeSpecOf('rope_parameters', settings, 10000, rotaryDim, { maxPositions: max, headDim: rotaryDim });
      const g = new GraphBuilder();
      const S = symbol('S');
      const { cos, sin } = rotation(g, rope, rotaryDim, g.input('positions', 'int64', [S]), S);
      const positions = BigInt64Array.from({ length }, (_, position) => BigInt(position));
      const out = await run(g.build({ outputs: { cos, sin } }), { positions: tensor('int64', [length], positions) });
      // the angles of position 1 are the frequencies
      const at = (i: number): readonly [number, number] => [
        out.cos!.data[frequencies.length + i] as number,
        out.sin!.data[frequencies.length + i] as number,
      ];
      for (const [i, frequency] of frequencies.entries()) {
        const [c, s] = at(i);
        assert.ok(Math.abs(Math.atan2(s, c) - frequency) < 2e-6 * frequency, `frequency ${i}: ${Math.atan2(s, c)}, expected ${frequency}`);
        assert.ok(Math.abs(Math.hypot(s, c) - factor) < 1e-6, `factor: ${Math.hypot(s, c)}, expected ${factor}`);
      }
      assert.equal(longestSequence(rope, max), longest ?? max);
    });
  }

  it('leaves what lies beyond the rotated part of each head as it is', async () => {
    const g = new GraphBuilder();
    const turn = rotation(g, { scaling: 'none', theta: 10000 }, 2, g.input('positions', 'int64', [2]), 2);
    const rotated = rotate(g, g.input('x', 'float32', [2, 8]), turn, 4); // two heads of 4, of which 2 are rotated
    const x = f32([2, 8], [1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 3, 4, 0, 1, 7, 8]);
    const { y } = await run(g.build({ outputs: { y: rotated } }), { x, positions: tensor('int64', [2], BigInt64Array.from([0n, 1n])) });
    const [c, s] = [Math.fround(Math.cos(1)), Math.fround(Math.sin(1))];
    const expected = [1, 2, 3, 4, 5, 6, 7, 8, c, s, 3, 4, -s, c, 7, 8];
    for (const [i, value] of expected.entries()) assert.ok(Math.abs((y!.data[i] as number) - value) < 1e-6, `element ${i}`);
  });
});
