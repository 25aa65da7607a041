/** Bodies that change a tenant's limits: what is kept reads back the same, and is above 0. */
import assert from 'node:assert/strict';
import { CutlayerError } from '../../../src/errors.js';
import { parseJson } from '../../../src/files/json-text.js';
import { limitBodySchema } from '../../../src/gateway/admin/tenant-routes.js';
import { changedLimits, limitNames, storedLimits } from '../../../src/gateway/tenants/limits.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';

const documents = [
  { limits: Object.fromEntries(limitNames.map((name, at) => [name, 10 ** at])) },
  { limits: { tokensPerDay: null, decodeSessions: 3 } },
  { limits: {} },
];
const before = { tokensPerDay: 50, concurrentSteps: 4 };

export const target: Target = {
  examples: documents.map((document) => Buffer.from(JSON.stringify(document))),
  made: editedJson(documents),
  words: [...limitNames.map((name) => `"${name}":`), '"limits":{', 'null', '1e21', '-1', '0.5', '"__proto__":'],
  run(input) {
    let content: unknown;
    try {
      content = parseJson(Buffer.from(input).toString());
    } catch (cause) {
      throw new CutlayerError('INVALID_ARGUMENT', 'request: malformed', { cause });
    }
    const found = limitBodySchema.safeParse(content);
    if (!found.success) throw new CutlayerError('INVALID_ARGUMENT', 'body: expected limits');
    const limits = changedLimits(before, found.data.limits);
    assert.ok(Object.values(limits).every((value) => Number.isSafeInteger(value) && value > 0));
    assert.deepEqual(storedLimits(JSON.parse(JSON.stringify(limits)), 'acme'), limits);
    for (const name of limitNames) if (found.data.limits[name] === null) assert.equal(limits[name], undefined);
  },
};
