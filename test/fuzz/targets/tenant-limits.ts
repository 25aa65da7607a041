/** Bodies that change what bounds a tenant: what is kept reads back the same, and limits are above 0. */
import assert from 'node:assert/strict';
import { CutlayerError } from '../../../src/errors.js';
import { parseJson } from '../../../src/files/json-text.js';
import { boundBodySchema } from '../../../src/gateway/admin/tenant-answer.js';
import { type OwnPolicy, ownPolicyNames } from '../../../src/gateway/protection/bounds.js';
import { changedPolicy, storedPolicy } from '../../../src/gateway/protection/own-policy.js';
import { changedLimits, limitNames, storedLimits } from '../../../src/gateway/tenants/limits.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';

const documents = [
  { limits: Object.fromEntries(limitNames.map((name, at) => [name, 10 ** at])) },
  { limits: { tokensPerDay: null, decodeSessions: 3 } },
  { limits: {} },
  { protection: { rowsPerDay: 500000, nearInputs: 'off', minRowNorm: null, alarmAt: 0.5 } },
  { protection: null, limits: { tokensPerDay: 1 } },
];
const before = { tokensPerDay: 50, concurrentSteps: 4 };
const own: OwnPolicy = { minTokens: 3, minRowNorm: 'off' };

export const target: Target = {
  examples: documents.map((document) => Buffer.from(JSON.stringify(document))),
  made: editedJson(documents),
  words: [
    ...[...limitNames, ...ownPolicyNames].map((name) => `"${name}":`),
    '"limits":{',
    '"protection":',
    '"off"',
    'null',
    '1e21',
    '-1',
    '0.5',
    '"__proto__":',
  ],
  run(input) {
    let content: unknown;
    try {
      content = parseJson(Buffer.from(input).toString());
    } catch (cause) {
      throw new CutlayerError('INVALID_ARGUMENT', 'request: malformed', { cause });
    }
    const found = boundBodySchema.safeParse(content);
    if (!found.success) throw new CutlayerError('INVALID_ARGUMENT', 'body: expected bounds');
    const { limits: change = {}, protection = {} } = found.data;
    const limits = changedLimits(before, change);
    assert.ok(Object.values(limits).every((value) => Number.isSafeInteger(value) && value > 0));
    assert.deepEqual(storedLimits(JSON.parse(JSON.stringify(limits)), 'acme'), limits);
    for (const name of limitNames) if (change[name] === null) assert.equal(limits[name], undefined);
    const policy = changedPolicy(own, protection);
    assert.ok(Object.values(policy ?? {}).every((bound) => bound === 'off' || (Number.isFinite(bound) && bound >= 0)));
    assert.deepEqual(storedPolicy(JSON.parse(JSON.stringify(policy)), 'acme'), policy);
    for (const name of ownPolicyNames) if (protection === null || protection[name] === null) assert.equal(policy?.[name], undefined);
  },
};
