/** When a loss counts as diverged. */
import assert from 'node:assert/strict';
import { type Divergence, DivergenceWatch } from '../../../clients/typescript/training/divergence.js';
import { seeded } from '../../../src/tensor/random.js';

describe('the divergence watch', () => {
  const options = { factor: 3, steps: 10 };
  const watch = (losses: readonly number[]) => {
    const state = new DivergenceWatch(options);
    let found: (Divergence & { readonly at: number }) | undefined;
    losses.forEach((loss, index) => {
      const divergence = state.observe(index + 1, loss);
      if (divergence !== undefined) found ??= { ...divergence, at: index + 1 };
    });
    return { found, suspectSince: state.suspectSince };
  };
  const repeat = (count: number, value: number) => Array.from({ length: count }, () => value);

  it('tells a loss that has risen for good at the tenth step, and where that began', () => {
    const { found } = watch([...repeat(30, 2), ...repeat(10, 9)]);
    assert.equal(found?.at, 40);
    assert.equal(found.sinceStep, 31);
    assert.equal(found.loss, 9);
    assert.ok(Math.abs(found.bestSmoothedLoss - 2) < 1e-9);
  });

  it('lets spikes pass that come back in time', () => {
    const { found, suspectSince } = watch([...repeat(30, 2), ...repeat(9, 9), 2, ...repeat(9, 9)]);
    assert.equal(found, undefined);
    assert.equal(suspectSince, 41);
  });

  it('lets noise pass, and a loss that is nearly 0', () => {
    const random = seeded(7);
    const noisy = Array.from({ length: 2000 }, (_, i) => (4 * Math.exp(-i / 200) + 0.5) * Math.exp(0.4 * random.normal()));
    assert.equal(watch(noisy).found, undefined);
    assert.equal(watch([...repeat(50, 1e-4), ...repeat(50, 0.2)]).found, undefined);
  });
});
