import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { beforeFirst, readEntry, requireFollows, seal } from '../../../src/server/audit/chain.js';
import { type AuditFields, checkFields } from '../../../src/server/audit/event.js';
import { hasCode } from '../../support/has-code.js';

describe('an entry of the audit log', () => {
  const first = seal(beforeFirst, 0, 'call', { tenant: 'acme', rows: 3 });

  it('is canonical JSON, whose hash covers all other fields and the hash before', () => {
    const rest = `{"event":"call","previous":"${'0'.repeat(64)}","rows":3,"sequence":0,"tenant":"acme","time":"1970-01-01T00:00:00.000Z"}`;
    const hash = createHash('sha256').update(rest).digest('hex');
    assert.equal(first.line, rest.replace('"previous"', `"hash":"${hash}","previous"`));
    assert.deepEqual(first.head, { sequence: 0, hash });
    const second = readEntry(seal(first.head, 5, 'stop', {}).line, 'here');
    assert.equal(second.previous, hash);
    assert.doesNotThrow(() => requireFollows(second, first.head, 'here'));
  });

  it('is refused when a byte of it was changed, or its place', () => {
    for (const line of [
      first.line.replace('"rows":3', '"rows":4'),
      first.line.replace('"rows":3', '"rows": 3'),
      `${first.line}\r`,
      first.line.replace('acme', 'acmf'),
      first.line.slice(0, -1),
      '{}',
      'null',
      '',
    ])
      assert.throws(() => readEntry(line, 'audit.jsonl:7'), hasCode('AUDIT_BROKEN', /^audit\.jsonl:7: /), line);
    const again = readEntry(first.line, 'here');
    assert.throws(() => requireFollows(again, first.head, 'here'), hasCode('AUDIT_BROKEN', /expected entry 1, got 0/));
    const foreign = readEntry(seal({ sequence: 0, hash: 'a'.repeat(64) }, 0, 'stop', {}).line, 'here');
    assert.throws(() => requireFollows(foreign, first.head, 'here'), hasCode('AUDIT_BROKEN', /does not follow entry 0/));
  });

  it('has bounded texts in one line, and no field that may hold a secret', () => {
    assert.deepEqual(checkFields({ a: 'x\n\u001b[31my', b: undefined, c: '\ud800' }), { a: 'x y', c: '\ufffd' });
    assert.equal(String(checkFields({ a: 'x'.repeat(1000) }).a).length, 256);
    const many = Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`f${n}`, n]));
    for (const fields of [{ token: 'x' }, { text: 'x' }, { hash: 'x' }, { 'a b': 1 }, { a: Number.NaN }, many] as AuditFields[])
      assert.throws(() => checkFields(fields), hasCode('INVALID_ARGUMENT', /^audit: /), JSON.stringify(fields).slice(0, 60));
  });
});
