import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CutlayerError, ErrorCode } from '../../../src/errors.js';
import { StepStore } from '../../../src/gateway/engine/step-store.js';

const code = (wanted: ErrorCode) => (error: CutlayerError) => error.code === wanted;

const at = (stepId: string, tenant = 'acme') => ({ tenant, stepId });

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
    store.admit(at('a'), 'da', 10);
    store.keepResiduals(at('a'), 30);
    store.admit(at('b'), 'db', 10);
    store.keepResiduals(at('b'), 31);
    store.admit(at('c'), 'dc', 10);
    store.keepResiduals(at('c'), 32);
    assert.deepEqual(released, [30]);
    assert.deepEqual(store.take(at('a')), { inputs: 10, residuals: undefined });
    store.admit(at('d'), 'dd', 75);
    assert.deepEqual(released, [30, 31, 32]);
    assert.throws(() => store.take(at('b')), code('STEP_EVICTED'), 'b was used longest ago, so its inputs go first');
    assert.deepEqual(store.take(at('c')), { inputs: 10, residuals: undefined });
    assert.deepEqual(store.take(at('a')), { inputs: 10, residuals: undefined });
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
      store.admit(at(key), key, bytes);
      if (random(2) === 0) store.keepResiduals(at(key), random(1500));
      if (random(3) === 0) store.take(at(key));
      if (random(3) === 0) store.answered(at(key));
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
    store.admit(at('a'), 'first', 60);
    store.admit(at('a'), 'first', 60);
    assert.throws(() => store.admit(at('a'), 'second', 60), code('STEP_CONFLICT'));
    store.admit(at('b'), 'other', 60);
    assert.throws(() => store.take(at('a')), code('STEP_EVICTED'));
    assert.throws(() => store.admit(at('a'), 'second', 60), code('STEP_CONFLICT'));
    store.admit(at('a'), 'first', 60);
    assert.deepEqual(store.take(at('a')).inputs, 60);
  });

  it('hands residuals over once, takes them back, and replaces older ones', () => {
    const { store, released } = open(100);
    store.admit(at('a'), 'd', 10);
    store.keepResiduals(at('a'), 20);
    assert.equal(store.take(at('a')).residuals, 20);
    assert.equal(store.take(at('a')).residuals, undefined);
    store.keepResiduals(at('a'), 20);
    store.keepResiduals(at('a'), 21);
    assert.deepEqual(released, [20]);
    assert.equal(store.stats().residualBytes, 21);
    store.keepResiduals(at('unknown'), 5);
    assert.deepEqual(released, [20, 5]);
  });

  it('forgets a step that nobody touched for its idle time, and the oldest beyond the step limit', () => {
    const { store, clock, released } = open(100, { maxSteps: 2 });
    store.admit(at('a'), 'd', 1);
    store.keepResiduals(at('a'), 9);
    clock.ms = 900;
    store.admit(at('b'), 'd', 1);
    clock.ms = 1500;
    assert.throws(() => store.take(at('a')), code('STEP_EVICTED'));
    assert.deepEqual(released, [9]);
    assert.equal(store.take(at('b')).inputs, 1);
    store.admit(at('c'), 'd', 1);
    store.admit(at('e'), 'd', 1);
    assert.throws(() => store.take(at('b')), code('STEP_EVICTED'));
    assert.equal(store.stats().stepsHeld, 2);
  });

  it('holds the inputs of answered steps only in their share, the last one in any case, and those of others untouched', () => {
    const { store } = open(1000, { answeredBytes: 25 });
    for (const key of ['waiting', 'a', 'b', 'c']) store.admit(at(key), key, 10);
    for (const key of ['a', 'b', 'c']) store.answered(at(key));
    assert.throws(() => store.take(at('a')), code('STEP_EVICTED'));
    for (const key of ['waiting', 'b', 'c']) assert.equal(store.take(at(key)).inputs, 10);
    store.admit(at('large'), 'large', 40);
    store.answered(at('large'));
    assert.equal(store.take(at('large')).inputs, 40);
    assert.throws(() => store.take(at('c')), code('STEP_EVICTED'));
    assert.equal(store.stats().inputBytes, 50);
  });

  it('counts a step that comes again after its answer as waiting', () => {
    const { store } = open(1000, { answeredBytes: 15 });
    for (const key of ['a', 'b', 'c']) store.admit(at(key), key, 10);
    store.answered(at('a'));
    store.admit(at('a'), 'a', 10);
    store.answered(at('b'));
    store.answered(at('c'));
    assert.equal(store.take(at('a')).inputs, 10);
    assert.throws(() => store.take(at('b')), code('STEP_EVICTED'));
  });

  it('refuses a step whose inputs alone exceed the budget', () => {
    const { store } = open(100);
    assert.throws(() => store.admit(at('a'), 'd', 101), code('LIMIT_EXCEEDED'));
    assert.equal(store.stats().stepsHeld, 0);
  });

  it('evicts from the tenant that holds most, and nothing from one within an equal share', () => {
    const { store, released } = open(120);
    for (const stepId of ['x', 'y']) {
      store.admit(at(stepId, 'quiet'), 'd', 5);
      store.keepResiduals(at(stepId, 'quiet'), 15);
    }
    for (const stepId of ['a', 'b', 'c', 'd', 'e', 'f']) {
      store.admit(at(stepId, 'loud'), 'd', 5);
      store.keepResiduals(at(stepId, 'loud'), 31);
    }
    assert.ok(released.length > 0 && released.every((bytes) => bytes === 31));
    for (const stepId of ['x', 'y']) assert.deepEqual(store.take(at(stepId, 'quiet')), { inputs: 5, residuals: 15 });
  });

  it('says whether residuals would be kept: not those of a step that its own tenant is first to give', () => {
    const { store } = open(100);
    store.admit(at('x', 'quiet'), 'd', 10);
    store.keepResiduals(at('x', 'quiet'), 30);
    store.admit(at('a', 'loud'), 'd', 10);
    assert.ok(store.fits(at('a', 'loud'), 50));
    assert.ok(!store.fits(at('a', 'loud'), 51));
    store.keepResiduals(at('a', 'loud'), 51);
    assert.ok(!store.hasResiduals(at('a', 'loud')) && store.hasResiduals(at('x', 'quiet')));
  });

  it('forgets the oldest step of the tenant with most steps', () => {
    const { store } = open(1000, { maxSteps: 4 });
    store.admit(at('x', 'quiet'), 'd', 1);
    for (const stepId of ['a', 'b', 'c', 'd', 'e']) store.admit(at(stepId, 'loud'), 'd', 1);
    assert.equal(store.take(at('x', 'quiet')).inputs, 1);
    for (const stepId of ['a', 'b']) assert.throws(() => store.take(at(stepId, 'loud')), code('STEP_EVICTED'));
    assert.equal(store.take(at('c', 'loud')).inputs, 1);
  });

  it('gives way when its budget shrinks, and takes up to the old one again', () => {
    const { store, released } = open(100);
    store.admit(at('a'), 'd', 10);
    store.keepResiduals(at('a'), 60);
    store.resize(50);
    assert.deepEqual([released, store.stats().budgetBytes], [[60], 50]);
    store.resize(1000);
    store.keepResiduals(at('a'), 60);
    assert.deepEqual([store.hasResiduals(at('a')), store.stats().budgetBytes], [true, 100]);
  });

  it('holds, whatever comes, no more than its budget, its steps and an equal share of the quietest tenant', () => {
    const action = fc.record({
      tenant: fc.constantFrom('a', 'b', 'c', 'quiet'),
      stepId: fc.constantFrom('1', '2', '3', '4', '5', '6'),
      residuals: fc.integer({ min: 0, max: 90 }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const { store } = open(400, { maxSteps: 16 });
        // 80 bytes are a fifth of 400, and 2 steps less than a fifth of 16.
        for (const stepId of ['x', 'y']) {
          store.admit(at(stepId, 'still'), 'd', 10);
          store.keepResiduals(at(stepId, 'still'), 30);
        }
        for (const { tenant, stepId, residuals } of actions) {
          store.admit(at(stepId, tenant), `${tenant}${stepId}`, 10);
          store.keepResiduals(at(stepId, tenant), residuals);
          const { residualBytes, inputBytes } = store.stats();
          assert.ok(residualBytes + inputBytes <= 400);
        }
        for (const stepId of ['x', 'y']) assert.deepEqual(store.take(at(stepId, 'still')), { inputs: 10, residuals: 30 });
      }),
    );
  });
});
