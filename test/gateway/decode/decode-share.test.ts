/** The share of decoding beside training: the turns of one tenant. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { createEngine } from '../../../src/gateway/engine/engine.js';
import { FairQueue, RUN_ROWS } from '../../../src/gateway/engine/fair-queue.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { checkInputs } from '../../support/checked-inputs.js';
import { tinyBackbone } from '../../support/tiny-backbone.js';

describe('the share of decoding', () => {
  it('is half of the rows beside a tenant that trains step by step, and no slice waits for ever', () => {
    const queue = new FairQueue<{ tenant: string; rows: number; priority: number }>();
    const [slice, step] = [
      { tenant: 'trains', rows: 1024, priority: 0 },
      { tenant: '(decoding)', rows: 8, priority: 0 },
    ];
    queue.push(slice);
    queue.push(step);
    const rows = new Map<string, number>();
    for (let run = 0; run < 2000; run++) {
      const job = queue.shift()!;
      rows.set(job.tenant, (rows.get(job.tenant) ?? 0) + job.rows + RUN_ROWS);
      queue.push(job);
    }
    const ratio = rows.get('(decoding)')! / rows.get('trains')!;
    assert.ok(ratio > 0.95 && ratio < 1.05, String(ratio));
  });

  it("is taken in a worker's place, between the steps of others", async () => {
    const artifact = await tinyBackbone({ hiddenSize: 8, numLayers: 2 });
    const engine = await createEngine({ artifact, workers: 1, threadsPerWorker: 1, warm: false });
    try {
      const order: string[] = [];
      let atWork = 0;
      const turn = () =>
        engine.turn({
          rows: 1,
          work: async () => {
            assert.equal(++atWork, 1);
            await new Promise((resolve) => setTimeout(resolve, 5));
            atWork--;
            order.push('decoding');
          },
        });
      const forward = async (stepId: string) => {
        const inputs = checkInputs(
          {
            hiddenStates: f32([1, 4, 8], new Float32Array(32).fill(0.1)),
            adapter: { kind: 'none' },
            positions: BigInt64Array.of(0n),
          },
          artifact.manifest,
        );
        await engine.forward({ tenant: 'trains', stepId, training: false, inputs });
        order.push('step');
      };
      await Promise.all([turn(), turn(), forward('a'), forward('b'), turn()]);
      assert.deepEqual([...order].sort(), ['decoding', 'decoding', 'decoding', 'step', 'step']);
      assert.ok(order.indexOf('step') < order.lastIndexOf('decoding'), order.join());
      assert.equal(engine.stats().callBytes, 0);
      assert.equal(engine.stats().workBytes, 0);
    } finally {
      await engine.close();
      await rm(artifact.dir, { recursive: true, force: true });
    }
    await assert.rejects(engine.turn({ rows: 1, work: async () => undefined }), { code: 'UNAVAILABLE' });
  });
});
