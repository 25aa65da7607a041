import assert from 'node:assert/strict';
import type { CutlayerError, ErrorCode } from '../../../src/errors.js';
import { StepStore } from '../../../src/gateway/engine/step-store.js';

const code = (wanted: ErrorCode) => (error: CutlayerError) => error.code === wanted;

/** A store whose inputs and residuals are their own sizes, with a clock that the test turns. */
function open(budgetBytes: number, { maxSteps = 100, answeredBytes = budgetBytes } = {}) {
  const released: number[] = [];
  const clock = { ms: 0 };
  const store = new StepStore<number, number>({
    budgetBytes,
    answeredBytes,
    maxSteps,
    idleMs: 1000,
    now: () => clock.ms,
    inputBytes: (inputs) => inputs,
    residualBytes: (residuals) => residuals,
    release: (residuals) => released.push(residuals),
  });
  return { store, released, clock };
}

describe('runtime/step-store', () => {
  it('evicts the least recently used residuals first, and inputs only when no residuals are left', () => {
    const { store, released } = open(100);
    store.admit('a', 'da', 10);
    store.keepResiduals('a', 30);
    store.admit('b', 'db', 10);
    store.keepResiduals('b', 31);
    store.admit('c', 'dc', 10);
    store.keepResiduals('c', 32);
    assert.deepEqual(released, [30]);
    assert.deepEqual(store.take('a'), { inputs: 10, residuals: undefined });
    store.admit('d', 'dd', 75);
    assert.deepEqual(released, [30, 31, 32]);
    assert.throws(() => store.take('b'), code('STEP_EVICTED'), 'b was used longest ago, so its inputs go first');
    assert.deepEqual(store.take('c'), { inputs: 10, residuals: undefined });
    assert.deepEqual(store.take('a'), { inputs: 10, residuals: undefined });
    assert.deepEqual(store.stats(), {
      stepsHeld: 3,
      residualBytes: 0,
      inputBytes: 95,
      budgetBytes: 100,
      evictedResiduals: 3,
      evictedInputs: 1,
    });
  });

  it('never holds more than its budget, whatever comes', () => {
    const { store } = open(1000, { answeredBytes: 200 });
    let seed = 7;
    const random = (limit: number): number => {
      seed = (seed * 48271) % 2147483647;
      return seed % limit;
    };
    for (let round = 0; round < 2000; round++) {
      const key = `step-${random(40)}`;
      const bytes = 1 + ((key.length * 37) % 90);
      store.admit(key, key, bytes);
      if (random(2) === 0) store.keepResiduals(key, random(1500));
      if (random(3) === 0) store.take(key);
      if (random(3) === 0) store.answered(key);
      const { residualBytes, inputBytes } = store.stats();
      assert.ok(residualBytes + inputBytes <= 1000, `round ${round}: ${residualBytes} + ${inputBytes} bytes`);
      assert.ok(residualBytes >= 0 && inputBytes >= 0);
    }
    store.clear();
    const { stepsHeld, residualBytes, inputBytes } = store.stats();
    assert.deepEqual([stepsHeld, residualBytes, inputBytes], [0, 0, 0]);
  });

  it('refuses a step id that comes again with other inputs, also after its inputs were evicted', () => {
    const { store } = open(100);
    store.admit('a', 'first', 60);
    store.admit('a', 'first', 60);
    assert.throws(() => store.admit('a', 'second', 60), code('STEP_CONFLICT'));
    store.admit('b', 'other', 60);
    assert.throws(() => store.take('a'), code('STEP_EVICTED'));
    assert.throws(() => store.admit('a', 'second', 60), code('STEP_CONFLICT'));
    store.admit('a', 'first', 60);
    assert.deepEqual(store.take('a').inputs, 60);
  });

  it('hands residuals over once, takes them back, and replaces older ones', () => {
    const { store, released } = open(100);
    store.admit('a', 'd', 10);
    store.keepResiduals('a', 20);
    assert.equal(store.take('a').residuals, 20);
    assert.equal(store.take('a').residuals, undefined);
    store.keepResiduals('a', 20);
    store.keepResiduals('a', 21);
    assert.deepEqual(released, [20]);
    assert.equal(store.stats().residualBytes, 21);
    store.keepResiduals('unknown', 5);
    assert.deepEqual(released, [20, 5]);
  });

  it('forgets a step that nobody touched for its idle time, and the oldest beyond the step limit', () => {
    const { store, clock, released } = open(100, { maxSteps: 2 });
    store.admit('a', 'd', 1);
    store.keepResiduals('a', 9);
    clock.ms = 900;
    store.admit('b', 'd', 1);
    clock.ms = 1500;
    assert.throws(() => store.take('a'), code('STEP_EVICTED'));
    assert.deepEqual(released, [9]);
    assert.equal(store.take('b').inputs, 1);
    store.admit('c', 'd', 1);
    store.admit('e', 'd', 1);
    assert.throws(() => store.take('b'), code('STEP_EVICTED'));
    assert.equal(store.stats().stepsHeld, 2);
  });

  it('holds the inputs of answered steps only in their share, the last one in any case, and those of others untouched', () => {
    const { store } = open(1000, { answeredBytes: 25 });
    for (const key of ['waiting', 'a', 'b', 'c']) store.admit(key, key, 10);
    for (const key of ['a', 'b', 'c']) store.answered(key);
    assert.throws(() => store.take('a'), code('STEP_EVICTED'));
    for (const key of ['waiting', 'b', 'c']) assert.equal(store.take(key).inputs, 10);
    store.admit('large', 'large', 40);
    store.answered('large');
    assert.equal(store.take('large').inputs, 40);
    assert.throws(() => store.take('c'), code('STEP_EVICTED'));
    assert.equal(store.stats().inputBytes, 50);
  });

  it('counts a step that comes again after its answer as waiting', () => {
    const { store } = open(1000, { answeredBytes: 15 });
    for (const key of ['a', 'b', 'c']) store.admit(key, key, 10);
    store.answered('a');
    store.admit('a', 'a', 10);
    store.answered('b');
    store.answered('c');
    assert.equal(store.take('a').inputs, 10);
    assert.throws(() => store.take('b'), code('STEP_EVICTED'));
  });

  it('refuses a step whose inputs alone exceed the budget', () => {
    const { store } = open(100);
    assert.throws(() => store.admit('a', 'd', 101), code('LIMIT_EXCEEDED'));
    assert.equal(store.stats().stepsHeld, 0);
  });
});
