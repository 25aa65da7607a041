/** The audit log of a whole gateway, from its start to its stop. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastLines } from '../../../src/server/audit/last-lines.js';
import { verifyAudit } from '../../../src/server/audit/verify-audit.js';
import { hasCode } from '../../support/has-code.js';
import { bearer, splitCalls, startTestGateway } from '../../support/test-gateway.js';

describe('the audit log of a gateway', () => {
  let stateDir: string;
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'cutlayer-audited-'));
  });
  afterEach(() => rm(stateDir, { recursive: true, force: true }));

  it('tells of start, calls and stop, in one chain over two starts; the token is not in it', async () => {
    const dir = join(stateDir, 'audit');
    const secrets: string[] = [];
    for (const _ of [1, 2]) {
      const running = await startTestGateway({ start: { stateDir, audit: undefined } });
      try {
        const token = await running.token();
        secrets.push(token, token.split('.')[2]!);
        await splitCalls(running.connect()).getModel(bearer(token));
        const metrics = await (await fetch(`http://${running.gateway.admin}/metrics`)).text();
        assert.match(metrics, /^cutlayer_audit_entries [1-9]/m);
      } finally {
        await running.close();
      }
    }
    const { entries, signedUpTo } = await verifyAudit(dir);
    const lines = await lastLines(dir, 100);
    const events = lines.map((line) => JSON.parse(line).event);
    assert.deepEqual(events, ['chain', 'start', 'call', 'stop', 'checkpoint', 'start', 'call', 'stop', 'checkpoint']);
    assert.deepEqual([entries, signedUpTo], [9, 8]);
    for (const secret of secrets) assert.ok(!lines.join('\n').includes(secret));
  });

  it('must be writable, or the gateway does not start', async () => {
    await writeFile(join(stateDir, 'audit'), 'in the way');
    const starting = startTestGateway({ start: { stateDir, audit: undefined } });
    await assert.rejects(
      starting,
      hasCode('IO_ERROR', /audit: cannot be made a directory \(a file is in the way\); choose another --audit/),
    );
  });
});
