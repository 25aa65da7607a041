import assert from 'node:assert/strict';
import { type OwnPolicy, ownPolicyNames } from '../../../src/gateway/protection/bounds.js';
import { embeddingRange } from '../../../src/gateway/protection/embedding-range.js';
import { changedPolicy, storedPolicy } from '../../../src/gateway/protection/own-policy.js';
import { type FilePolicies, noFile, type OwnPolicySource, Policies, requireSound } from '../../../src/gateway/protection/policies.js';
import { standardPolicy } from '../../../src/gateway/protection/policy.js';

const standard = standardPolicy(768);
const file: FilePolicies = {
  standard: { rowsPerDay: 1000, nearInputs: 'off', minTokens: 3, maxRowNorm: 9 },
  tenants: new Map([['acme', { rowsPerDay: 500, directionsPerStep: 2, alarmAt: 0.5 }]]),
};

const policiesOf = (named: FilePolicies, rows: OwnPolicySource, embedding: OwnPolicy = {}) =>
  new Policies({ standard, embedding, file: named, rows });

describe('policies of tenants', () => {
  it("take a bound from the tenant's row, else from its section of the file, else from the file's default", () => {
    const rows = { protectionOf: (tenant: string) => (tenant === 'acme' ? ({ rowsPerDay: 5, minTokens: 'off' } as const) : null) };
    const policies = policiesOf(file, rows);
    const acme = {
      ...standard,
      rowsPerDay: 5,
      nearInputs: undefined,
      minTokens: undefined,
      directionsPerStep: 2,
      maxRowNorm: 9,
      alarmAt: 0.5,
    };
    assert.deepEqual(policies.of('acme'), acme);
    assert.deepEqual(policies.of('bolt'), { ...standard, rowsPerDay: 1000, nearInputs: undefined, minTokens: 3, maxRowNorm: 9 });
    assert.deepEqual(policiesOf(noFile, { protectionOf: () => null }).of('acme'), standard);
    const { rowsPerDay, minTokens, directionsPerStep, nearInputs, maxPromptNorm, alarmAt } = policies.placed('acme');
    assert.deepEqual(
      { rowsPerDay, minTokens, directionsPerStep, nearInputs, maxPromptNorm, alarmAt },
      {
        rowsPerDay: { bound: 5, from: 'tenant' },
        minTokens: { bound: null, from: 'tenant' },
        directionsPerStep: { bound: 2, from: 'fileTenant' },
        nearInputs: { bound: null, from: 'fileDefault' },
        maxPromptNorm: { bound: null, from: 'standard' },
        alarmAt: { bound: 0.5, from: 'fileTenant' },
      },
    );
  });

  it('take the lengths of rows from the embedding where no other place names them', () => {
    const embedding = embeddingRange({ rows: 9, least: 2, p1: 2, p50: 3, p99: 4, greatest: 5 });
    assert.deepEqual(embedding, { minRowNorm: 0.5, maxRowNorm: 80 });
    const policies = policiesOf(file, { protectionOf: () => ({ minRowNorm: 'off' }) }, embedding);
    assert.deepEqual(policies.placed('acme').minRowNorm, { bound: null, from: 'tenant' });
    assert.deepEqual(policies.placed('acme').maxRowNorm, { bound: 9, from: 'fileDefault' });
    const alone = policiesOf(noFile, { protectionOf: () => null }, embedding).placed('acme');
    assert.deepEqual(
      [alone.minRowNorm, alone.maxRowNorm],
      [
        { bound: 0.5, from: 'embedding' },
        { bound: 80, from: 'embedding' },
      ],
    );
    assert.deepEqual(embeddingRange({ rows: 9, least: 0, p1: 0, p50: 3, p99: 4, greatest: 5 }), { maxRowNorm: 80 }, 'a row may be zero');
    assert.deepEqual(embeddingRange(undefined), {});
  });

  it('say for each bound what holds, and no other', () => {
    const policies = policiesOf(file, { protectionOf: () => ({ maxRowNorm: 4 }) });
    const [placed, policy] = [policies.placed('acme'), policies.of('acme')];
    assert.deepEqual(Object.keys(placed), [...ownPolicyNames]);
    for (const name of ownPolicyNames) assert.equal(placed[name].bound, policy[name] ?? null, name);
  });

  it('follow the row as it is at each call', () => {
    let row: { rowsPerDay: number } | null = null;
    const policies = policiesOf(noFile, { protectionOf: () => row });
    assert.equal(policies.of('acme').rowsPerDay, undefined);
    row = { rowsPerDay: 7 };
    assert.equal(policies.of('acme').rowsPerDay, 7);
  });

  it("refuse a row that leaves no length of rows, alone or beside the file's", () => {
    const policies = policiesOf(file, { protectionOf: () => null });
    const message = 'protection.minRowNorm: expected a number up to max-row-norm 9, got 10';
    assert.throws(() => policies.requireSound('acme', { minRowNorm: 10 }), { code: 'INVALID_ARGUMENT', message });
    policies.requireSound('acme', { minRowNorm: 10, maxRowNorm: 'off' });
    policies.requireSound('acme', null);
    assert.throws(() => requireSound({ minRowNorm: 2, maxRowNorm: 1 }), { code: 'INVALID_ARGUMENT' });
  });

  it('change a row by a merge, and take it away', () => {
    const row = changedPolicy(null, { rowsPerDay: 5, nearInputs: 'off' });
    assert.deepEqual(row, { rowsPerDay: 5, nearInputs: 'off' });
    assert.deepEqual(changedPolicy(row, { nearInputs: null, minTokens: 1 }), { rowsPerDay: 5, minTokens: 1 });
    assert.equal(changedPolicy(row, { nearInputs: null, rowsPerDay: null }), null);
    assert.equal(changedPolicy(row, null), null);
  });

  it('take from the store what a change can have written, and nothing else', () => {
    assert.equal(storedPolicy(null, 'acme'), null);
    assert.deepEqual(storedPolicy({ rowsPerDay: 5, maxRowNorm: 'off' }, 'acme'), { rowsPerDay: 5, maxRowNorm: 'off' });
    for (const wrong of [{ rowsPerDay: 0 }, { rowsPerDay: null }, { rows: 1 }, { alarmAt: 'off' }, { maxRowNorm: 'no' }, [], 3, 'off'])
      assert.throws(() => storedPolicy(wrong, 'acme'), { code: 'STORE_CORRUPT', message: /^protection of acme: / });
  });
});
