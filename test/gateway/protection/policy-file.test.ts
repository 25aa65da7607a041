import assert from 'node:assert/strict';
import { Policies } from '../../../src/gateway/protection/policies.js';
import { standardPolicy } from '../../../src/gateway/protection/policy.js';
import { parsePolicies } from '../../../src/gateway/protection/policy-file.js';

const standard = standardPolicy(768);
const base = { standard, embedding: {} };
const parse = (text: string) =>
  new Policies({ ...base, file: parsePolicies(text, 'policies.yaml', base), rows: { protectionOf: () => null } });

describe('a file of protection policies', () => {
  it('changes what it names, of all tenants and of one', () => {
    const policies = parse(
      'default:\n  rows-per-day: 1000\n  nearInputs: off\ntenants:\n  acme:\n    rows-per-day: 5\n    max-row-norm: 3.5\n',
    );
    assert.deepEqual(policies.of('other'), { ...standard, rowsPerDay: 1000, nearInputs: undefined });
    assert.deepEqual(policies.of('acme'), { ...standard, rowsPerDay: 5, nearInputs: undefined, maxRowNorm: 3.5 });
    assert.deepEqual(parse('').of('acme'), standard);
  });

  for (const [text, says] of [
    ['defaults: {}', /expected default or tenants, got "defaults"/],
    ['default: { rows: 1 }', /expected .*rows-per-day.*; got "rows"/],
    ['default: { rows-per-day: 0 }', /default\.rows-per-day: .*got 0/],
    ['default: { rows-per-day: many }', /default\.rows-per-day: .*got "many"/],
    ['tenants: { acme: { alarm-at: 2 } }', /tenants\.acme\.alarm-at: .*got 2/],
    ['default: { alarm-at: off }', /alarm-at/],
    ['default: { min-row-norm: 3, max-row-norm: 1 }', /expected min-row-norm up to max-row-norm 1, got 3/],
    ['tenants: [acme]', /tenants: expected keys/],
    ['a: [', /policies\.yaml/],
  ] as const) {
    it(`refuses ${text}`, () => assert.throws(() => parse(text), { code: 'INVALID_CONFIG', message: says }));
  }

  for (const [text, line] of [
    ['default:\n  rows-per-day: 5\n  near-inputs: -1\n', 3],
    ['\n# bounds\ntenants:\n  acme:\n    rows: 1\n', 5],
    ['default: {}\ntenants:\n  acme: { min-row-norm: 3,\n    max-row-norm: 1 }\n', 3],
    ['tenants: {}\nothers: {}\n', 2],
    ['default:\n  - rows-per-day\n', 1],
  ] as const) {
    it(`names line ${line} of ${JSON.stringify(text)}`, () => {
      assert.throws(() => parse(text), { code: 'INVALID_CONFIG', message: new RegExp(`^policies\\.yaml:${line}: `) });
    });
  }
});
