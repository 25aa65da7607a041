import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileName } from '../../../src/server/audit/audit-files.js';
import { openAudit, type ServerAudit } from '../../../src/server/audit/open-audit.js';
import { MOST_OF_KIND } from '../../../src/server/audit/recent-entries.js';
import { createLogger } from '../../../src/server/observability/log.js';

describe('the newest audit entries', () => {
  let stateDir: string;
  const open = (audit?: 'none'): Promise<ServerAudit> =>
    openAudit({
      role: 'gateway',
      stateDir,
      log: createLogger({ level: 'silent' }),
      now: () => 0,
      ...(audit && { audit: { kind: 'none' } }),
    });
  const events = (audit: ServerAudit, ...of: Parameters<NonNullable<ServerAudit['recent']>['newest']>): string[] =>
    audit.recent!.newest(...of).map(({ event }) => event);
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'cutlayer-recent-'));
  });
  afterEach(() => rm(stateDir, { recursive: true, force: true }));

  it('are kept by kind, so that no number of calls drives an alarm out', async () => {
    const audit = await open();
    await audit.record('alarm', { tenant: 'acme' });
    await Promise.all(Array.from({ length: 2 * MOST_OF_KIND }, (_, n) => audit.record('call', { rows: n })));
    assert.deepEqual(audit.recent!.kept, { alarms: 1, changes: 1, calls: MOST_OF_KIND });
    const [alarm] = audit.recent!.newest(10, 'alarms');
    assert.deepEqual([alarm?.event, alarm?.tenant], ['alarm', 'acme']);
    assert.equal(audit.recent!.newest(1, 'calls')[0]?.rows ?? audit.recent!.newest(2, 'calls')[1]?.rows, 2 * MOST_OF_KIND - 1);
    assert.equal(audit.recent!.newest(10_000).length, MOST_OF_KIND + 2);
    await audit.close();
  });

  it('are the newest first, of all kinds in one order, and only those that are written', async () => {
    const audit = await open();
    await audit.record('start');
    await audit.record('call');
    await audit.record('alarm');
    await assert.rejects(audit.record('call', { token: 'x' }));
    assert.deepEqual(events(audit, 10), ['alarm', 'call', 'start', 'chain']);
    assert.deepEqual(events(audit, 2), ['alarm', 'call']);
    await audit.close();
  });

  it('are those at the end of the log after a restart, also where a killed process left a part of a line', async () => {
    const first = await open();
    await first.record('alarm', { tenant: 'acme' });
    await first.close();
    await appendFile(join(stateDir, 'audit', fileName(0)), '{"event":"alarm","seq');
    const again = await open();
    assert.deepEqual(events(again, 10, 'alarms'), ['mended', 'alarm']);
    await again.close();
  });

  it('are none without a log', async () => {
    assert.equal((await open('none')).recent, undefined);
  });
});
