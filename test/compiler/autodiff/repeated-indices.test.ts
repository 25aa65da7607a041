/** Cotangents of gathers whose indices repeat, at a size at which ONNX Runtime works on several threads. */
import assert from 'node:assert/strict';
import { InferenceSession } from 'onnxruntime-node';
import { vjp } from '../../../src/compiler/autodiff/vjp.js';
import { GraphBuilder } from '../../../src/compiler/onnx/builder.js';
import { encodeModel } from '../../../src/compiler/onnx/encoder.js';
import type { Value } from '../../../src/compiler/onnx/value.js';
import { f32, tensor } from '../../../src/tensor/tensor.js';
import { depth } from '../../support/exhaustive.js';
import { seeded } from '../../support/random.js';
import { runSession } from '../../support/session.js';

const ROWS = 3;
const WIDTH = 64;
const PICKED = 20_000;
const REPEATS = depth(20, 5);

/** Rows picked by `indices` int64 [PICKED], gathered in one of the two ways. */
const gathers: Readonly<Record<string, (g: GraphBuilder, x: Value, indices: Value) => Value>> = {
  Gather: (g, x, indices) => g.gather(x, indices),
  GatherND: (g, x, indices) => g.gatherND(x, g.unsqueeze(indices, [1])),
};

describe('gradients of repeated indices', () => {
  for (const [op, gather] of Object.entries(gathers)) {
    it(`add up, none lost, however often ${op} takes a row`, async () => {
      const g = new GraphBuilder();
      const x = g.input('x', 'float32', [ROWS, WIDTH]);
      const indices = g.input('indices', 'int64', [PICKED]);
      const ct = g.input('ct', 'float32', [PICKED, WIDTH]);
      const [cotangent] = vjp(g, { outputs: [gather(g, x, indices)], cotangents: [ct], wrt: [x] });
      const graph = g.build({ outputs: { cotangent: cotangent! } });
      const session = await InferenceSession.create(encodeModel(graph), { intraOpNumThreads: 4, logSeverityLevel: 3 });
      const random = seeded(1);
      for (let repeat = 0; repeat < REPEATS; repeat++) {
        // Counted from the end as often as from the start; ones add up exactly in float32.
        const picked = Array.from({ length: PICKED }, () => Math.floor(random() * 2 * ROWS) - ROWS);
        const counts = Array.from({ length: ROWS }, (_, row) => picked.filter((index) => (index + ROWS) % ROWS === row).length);
        const { cotangent: sums } = await runSession(session, {
          indices: tensor('int64', [PICKED], BigInt64Array.from(picked, BigInt)),
          ct: f32([PICKED, WIDTH], new Float32Array(PICKED * WIDTH).fill(1)),
        });
        assert.deepEqual(
          [...sums!.data],
          counts.flatMap((count) => Array<number>(WIDTH).fill(count)),
        );
      }
      await session.release();
    });
  }
});
