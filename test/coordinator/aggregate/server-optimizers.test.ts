import assert from 'node:assert/strict';
import fc from 'fast-check';
import { aggregate } from '../../../src/coordinator/aggregate/aggregate.js';
import { applyDelta } from '../../../src/coordinator/aggregate/apply-delta.js';
import type { ServerState } from '../../../src/protocol/federation/strategies/server-optimizers.js';
import type { StrategySettings } from '../../../src/protocol/federation/strategies/settings.js';

/** The deltas of one round after the other, and the state at the end. */
function rounds(settings: StrategySettings, means: readonly (readonly number[])[]) {
  let state: ServerState = {};
  const deltas = means.map((mean) => {
    const result = aggregate(settings, state, { mean: Float64Array.from(mean) });
    state = result.state;
    return result.delta;
  });
  return { deltas, state };
}

/** Equal but for the last bits: the reference may add up in another order. */
function near(actual: Float64Array, expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries()) {
    assert.ok(Math.abs(actual[i]! - value) <= 1e-14 * Math.max(1, Math.abs(value)), `at ${i}: expected ${value}, got ${actual[i]}`);
  }
}

// The mean updates of three rounds, drawn once; the expected values below are of numpy, float64,
// from the formulas of the papers.
const means = [
  [0.001, 0.299, -0.274, -0.891],
  [-0.455, -0.992, 0.06, 1.34],
  [-0.492, -0.62, 0.49, 0.357],
];

describe('server optimizers', () => {
  it('FedAvg adds the mean update, times the server learning rate', () => {
    // 0.5 · (2, -4) = (1, -2)
    assert.deepEqual(rounds({ kind: 'fedavg', serverLearningRate: 0.5 }, [[2, -4]]), { deltas: [Float64Array.of(1, -2)], state: {} });
  });

  it('FedProx is FedAvg on the server, whatever mu is', () => {
    const fedavg = rounds({ kind: 'fedavg', serverLearningRate: 0.7 }, means);
    assert.deepEqual(rounds({ kind: 'fedprox', serverLearningRate: 0.7, mu: 5 }, means), fedavg);
  });

  it('FedAvgM by hand: v = 0.5 v + mean, delta = 2 v', () => {
    // Round 1: v = 0.5 · (0, 0) + (1, 2) = (1, 2), delta (2, 4). Round 2: v = (0.5, 1) + (1, -1) =
    // (1.5, 0), delta (3, 0).
    const { deltas, state } = rounds({ kind: 'fedavgm', serverLearningRate: 2, momentum: 0.5 }, [
      [1, 2],
      [1, -1],
    ]);
    assert.deepEqual(deltas, [Float64Array.of(2, 4), Float64Array.of(3, 0)]);
    assert.deepEqual(state, { momentum: Float64Array.of(1.5, 0) });
  });

  it('FedAvgM over three rounds is as numpy computes it', () => {
    const { deltas } = rounds({ kind: 'fedavgm', serverLearningRate: 0.5, momentum: 0.9 }, means);
    near(deltas[0]!, [0.0005, 0.1495, -0.137, -0.4455]);
    near(deltas[2]!, [-0.450345, -0.635305, 0.16103, 0.42064500000000005]);
  });

  it('FedAdam by hand: no bias correction, v begins at tau squared', () => {
    // beta1 0.5, beta2 0.75, tau 2, eta 3; mean 4: m = 0.5 · 0 + 0.5 · 4 = 2; v = 0.75 · 4 + 0.25 ·
    // 16 = 7; delta = 3 · 2 / (√7 + 2).
    const { deltas, state } = rounds({ kind: 'fedadam', serverLearningRate: 3, beta1: 0.5, beta2: 0.75, tau: 2 }, [[4]]);
    assert.deepEqual(state, { firstMoment: Float64Array.of(2), secondMoment: Float64Array.of(7) });
    near(deltas[0]!, [6 / (Math.sqrt(7) + 2)]);
  });

  it('FedYogi by hand: v grows by a share of the square when it is smaller, and shrinks when it is larger', () => {
    // beta2 0.75, tau 2: v0 = 4. Mean 4: v = 4 − 0.25 · 16 · sign(4 − 16) = 8. Mean 2: v = 8 − 0.25
    // · 4 · sign(8 − 4) = 7. beta1 0.5: m = 2, then 0.5 · 2 + 0.5 · 2 = 2. eta 3: delta = 6 / (√8 +
    // 2), then 6 / (√7 + 2).
    const { deltas, state } = rounds({ kind: 'fedyogi', serverLearningRate: 3, beta1: 0.5, beta2: 0.75, tau: 2 }, [[4], [2]]);
    assert.deepEqual(state, { firstMoment: Float64Array.of(2), secondMoment: Float64Array.of(7) });
    near(deltas[0]!, [6 / (Math.sqrt(8) + 2)]);
    near(deltas[1]!, [6 / (Math.sqrt(7) + 2)]);
  });

  it('FedAdam and FedYogi over three rounds are as numpy computes them', () => {
    const usual = { serverLearningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-3 };
    const adam = rounds({ kind: 'fedadam', ...usual }, means);
    near(adam.deltas[0]!, [0.004999999999999999, 0.09671195336004079, -0.09641756069568622, -0.098884025099119]);
    near(adam.deltas[2]!, [-0.13271439543356509, -0.10478050265038535, 0.05617337990357818, 0.05104698720919769]);
    near(adam.state.secondMoment!, [0.004471167600000004, 0.014463423100000013, 0.003173430175000003, 0.02683272798000003]);
    const yogi = rounds({ kind: 'fedyogi', ...usual }, means);
    near(yogi.deltas[0]!, [0.004999999999999999, 0.09671143054984593, -0.09641694198050574, -0.09888396351916162]);
    near(yogi.deltas[2]!, [-0.1324124220446803, -0.10436545665460988, 0.05604054405293838, 0.05073080266823454]);
    near(yogi.state.secondMoment!, [0.004491890000000004, 0.014579650000000013, 0.003188760000000003, 0.027170300000000026]);
    const bold = { serverLearningRate: 1, beta1: 0.5, beta2: 0.5, tau: 0.5 };
    const boldAdam = rounds({ kind: 'fedadam', ...bold }, means).deltas[2]!;
    near(boldAdam, [-0.3778740209629237, -0.43629638632019835, 0.25028389190843037, 0.3088657246438823]);
    const boldYogi = rounds({ kind: 'fedyogi', ...bold }, means).deltas[2]!;
    near(boldYogi, [-0.35353626088111534, -0.4300105754643872, 0.2099852234476847, 0.23420618773892385]);
  });

  it('leave what they are given as it was', () => {
    const state = { firstMoment: Float64Array.of(1), secondMoment: Float64Array.of(2) };
    const mean = Float64Array.of(3);
    aggregate({ kind: 'fedadam', serverLearningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-3 }, state, { mean });
    assert.deepEqual([state.firstMoment[0], state.secondMoment[0], mean[0]], [1, 2, 3]);
  });

  it('refuse the state of another adapter, and results that overflow', () => {
    const settings = { kind: 'fedavgm', serverLearningRate: 1e9, momentum: 0.9 } as const;
    assert.throws(() => aggregate(settings, { momentum: new Float64Array(3) }, { mean: new Float64Array(2) }), {
      code: 'INVALID_SHAPE',
      message: 'server state momentum: expected 2 values, got 3; it is of another adapter',
    });
    for (const value of [1e300, Number.NaN]) {
      assert.throws(() => aggregate(settings, {}, { mean: Float64Array.of(value) }), {
        code: 'NON_FINITE',
        message: /lower serverLearningRate/,
      });
    }
  });
});

describe('applyDelta', () => {
  it('with one client and FedAvg, the new parameters are the ones it has trained', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: -999, max: 999 })), { minLength: 1 }),
        fc.integer({ min: 1, max: 1e6 }),
        (pairs, weight) => {
          const old = Float32Array.from(pairs, ([before]) => before / 64);
          const trained = Float32Array.from(pairs, ([, after]) => after / 64);
          const update = trained.map((value, i) => value - old[i]!);
          const { delta } = aggregate({ kind: 'fedavg', serverLearningRate: 1 }, {}, { updates: [{ member: 'anna', update, weight }] });
          assert.deepEqual(applyDelta(old, delta), trained);
        },
      ),
      { seed: 11 },
    );
  });

  it('refuses another length, and sums beyond float32', () => {
    assert.throws(() => applyDelta(new Float32Array(2), new Float64Array(3)), { code: 'INVALID_SHAPE' });
    assert.throws(() => applyDelta(Float32Array.of(0, 3e38), Float64Array.of(0, 1e38)), {
      code: 'NON_FINITE',
      message: 'aggregate: expected finite parameters, got Infinity at 1; lower serverLearningRate',
    });
  });
});
