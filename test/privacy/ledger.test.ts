/** The ledger's rule, and what is said of a spend. */
import assert from 'node:assert/strict';
import { epsilonOf } from '../../src/privacy/accountant.js';
import { gaussianEvent, type PrivacyEvent } from '../../src/privacy/event.js';
import { mayRelease, type PrivacyBudget } from '../../src/privacy/ledger.js';
import { privacyStatement, statementText } from '../../src/privacy/statement.js';

describe('the rule of a privacy ledger', () => {
  const round = gaussianEvent(5);
  const budget = { epsilon: 3, delta: 1e-5 };

  /** How many rounds more the rule allows, one after the other. */
  function allowedAfter(spent: readonly PrivacyEvent[], wanted: PrivacyBudget): number {
    let count = 0;
    while (mayRelease([...spent, { ...round, count }], round, wanted).allowed) count++;
    return count;
  }

  it('allows releases up to the budget and refuses the first that would go over it, saying what is left', () => {
    const spent: PrivacyEvent[] = [];
    let remaining = budget.epsilon;
    for (;;) {
      const decision = mayRelease(spent, round, budget);
      if (!decision.allowed) {
        assert.ok(decision.after.epsilon > budget.epsilon);
        assert.ok(decision.before.epsilon <= budget.epsilon);
        assert.equal(decision.remaining, budget.epsilon - decision.before.epsilon);
        assert.match(decision.reason, /would bring epsilon to 3\.\d+ at delta 0\.00001; the budget is 3, of which 2\.\d+ is spent/);
        break;
      }
      assert.ok(decision.remaining < remaining);
      remaining = decision.remaining;
      spent.push(round);
    }
    assert.equal(spent.length, allowedAfter([], budget));
    assert.ok(spent.length > 5);
    assert.equal(epsilonOf(spent, 1e-5).epsilon, budget.epsilon - remaining);
  });

  it('never allows a release without noise', () => {
    const decision = mayRelease([], gaussianEvent(0), budget);
    assert.equal(decision.allowed, false);
    assert.equal(decision.after.epsilon, Infinity);
  });

  it('counts releases of every kind that went before', () => {
    const spent = [gaussianEvent(1.2)];
    assert.equal(allowedAfter(spent, epsilonOf(spent, 1e-5)), 0);
    const wider = { epsilon: 8, delta: 1e-5 };
    const left = allowedAfter(spent, wider);
    assert.ok(left > 0 && left < allowedAfter([], wider));
    assert.equal(allowedAfter([...spent, { ...round, count: left - 1 }], wider), 1);
  });

  it('refuses budgets that are none', () => {
    for (const epsilon of [0, -1, Number.NaN, Infinity]) {
      assert.throws(() => mayRelease([], round, { epsilon, delta: 1e-5 }), { code: 'INVALID_ARGUMENT', message: /^epsilon/ });
    }
    assert.throws(() => mayRelease([], round, { epsilon: 1, delta: 0 }), { code: 'INVALID_ARGUMENT', message: /^delta/ });
  });
});

describe('a privacy statement', () => {
  it('names unit, epsilon, delta, releases, sampling and noise', () => {
    const statement = privacyStatement('example', [gaussianEvent(1.5, { kind: 'poisson', rate: 0.04 }, 2250)], 1e-5);
    assert.equal(statement.epsilon?.toFixed(9), '7.329876774');
    assert.equal(statement.order, 4);
    assert.equal(
      statementText(statement),
      '(example, epsilon 7.330, delta 1e-5) after 2250 steps, Poisson sampling at rate 0.04, noise multiplier 1.5',
    );
    const client = privacyStatement('client', [gaussianEvent(5), gaussianEvent(4)], 0.01);
    assert.match(statementText(client), /^\(client, epsilon \d+\.\d{3}, delta 0\.01\) after 2 rounds, no sampling, noise multiplier 4$/);
  });

  it('never rounds epsilon down', () => {
    const statement = { ...privacyStatement('client', [gaussianEvent(5)], 1e-5), epsilon: 1.0000001 };
    assert.match(statementText(statement), /epsilon 1\.001,/);
  });

  it('says that there is no bound rather than a number, also in JSON', () => {
    const statement = privacyStatement('client', [gaussianEvent(5), gaussianEvent(0)], 1e-5);
    assert.equal(JSON.parse(JSON.stringify(statement)).epsilon, null);
    assert.match(statementText(statement), /^\(client, no bound on epsilon, delta 1e-5\) after 2 rounds, no sampling, noise multiplier 0$/);
  });
});
