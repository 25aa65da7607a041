import assert from 'node:assert/strict';
import { callLog } from '../../../src/server/observability/call-log.js';
import type { Call } from '../../../src/server/rpc/calls.js';
import { principal } from '../../support/rpc-rig.js';

describe('lines of calls', () => {
  const call = {
    request: 'job-7',
    method: 'Forward',
    principal: principal('acme'),
    outcome: { code: 'OK', bytesIn: 1, bytesOut: 2, rows: 3 },
  } as unknown as Call; // the log reads no other field
  const sizes = { bytesIn: 1, bytesOut: 2, rows: 3 };

  it('have id, tenant, method, code and sizes, at debug, info or warn; failures are bounded by the second', () => {
    const said: (readonly [level: string, fields: object])[] = [];
    const at = (level: string) => (fields: object) => void said.push([level, fields]);
    const log = { debug: at('debug'), info: at('info'), warn: at('warn') } as unknown as Parameters<typeof callLog>[0]; // in this form alone
    let now = 0;
    const lines = callLog(log, () => now);
    lines.ended({ call, kind: 'call', code: 'OK', seconds: 0.5 });
    lines.ended({ call, kind: 'call', code: 'QUEUE_FULL', seconds: 0 });
    for (let n = 0; n < 100; n++) lines.refused({ request: 'x', tenant: '', method: 'Forward', code: 'TOKEN_INVALID' });
    now += 50;
    lines.ended({ call, kind: 'call', code: 'INTERNAL', seconds: 0 });
    const whose = { request: 'job-7', tenant: 'acme', method: 'Forward' };
    assert.deepEqual(said, [
      ['debug', { ...whose, code: 'OK', ms: 500, ...sizes }],
      ['info', { ...whose, code: 'QUEUE_FULL', ms: 0, ...sizes, unsaid: 0 }],
      ['warn', { ...whose, code: 'INTERNAL', ms: 0, ...sizes, unsaid: 100 }],
    ]);
  });
});
