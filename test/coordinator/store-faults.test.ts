/** A store that fails for long: the round goes on where it was, and the log stays short. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { rareErrors } from '../../src/coordinator/rare-errors.js';
import { silentLog } from '../../src/coordinator/rounds/federation-context.js';
import { concealed } from '../../src/coordinator/service/store-faults.js';
import { CutlayerError } from '../../src/errors.js';
import { CoordinatorRig, testManifest } from '../support/coordinator-rig.js';
import { depth } from '../support/exhaustive.js';
import { VirtualTime } from '../support/virtual-time.js';

const MINUTES = depth(60, 15);
/** A cutoff is tried each second; here the clock jumps, so that the test is short. */
const STEP_SECONDS = 5;
const full = () => new CutlayerError('IO_ERROR', 'store /srv/coordinator.db: the disk is full');

interface Line {
  readonly message: string;
  readonly unsaid: number;
  readonly err: Error;
}

describe('a store that fails for long', () => {
  let rig: CoordinatorRig | undefined;
  afterEach(() => rig?.close());

  const time = new VirtualTime();
  const lines: Line[] = [];
  const log = rareErrors(
    {
      ...silentLog,
      error(fields, message) {
        lines.push({ ...(fields as Omit<Line, 'message'>), message });
      },
    },
    time.now,
  );
  beforeEach(() => void lines.splice(0));

  it('is one line a minute, with a count, and the round goes on afterwards', async () => {
    const rounds = { count: 1, enlistSeconds: 60, gatherSeconds: 3600 };
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds, evaluation: null }), time, log });
    for (const member of rig.members) await member.step(rig.api(member.name));
    let failed = 0;
    rig.onWrite = () => {
      failed += 1;
      throw full();
    };
    for (let second = 0; second < 60 * MINUTES; second += STEP_SECONDS) {
      time.advance(1000 * STEP_SECONDS);
      for (let turn = 0; turn < 5; turn++) await nextTurn();
    }
    rig.onWrite = undefined;
    assert.ok(failed > (650 / 60) * MINUTES, `${failed} tries`);
    assert.ok(lines.length >= MINUTES - 5 && lines.length <= MINUTES + 1, `${lines.length} lines`);
    assert.ok(lines.every(({ message }) => message === 'a cutoff could not be written; trying again'));
    assert.match(lines[0]!.err.message, /the disk is full/);
    assert.equal(lines[0]!.unsaid, 0);
    assert.ok(
      lines.slice(1).every(({ unsaid }) => unsaid >= 10 && unsaid <= 12),
      JSON.stringify(lines.map(({ unsaid }) => unsaid)),
    );
    const report = await rig.play();
    assert.deepEqual([report.state, report.released], ['finished', 1]);
  });

  it('says another fault at once, and each federation its own', () => {
    for (let call = 0; call < 100; call++) concealed(full(), log);
    concealed(new CutlayerError('STORE_CORRUPT', 'store: damaged'), log);
    log.error({ federation: 'a', err: full() }, 'late');
    log.error({ federation: 'b', err: full() }, 'late');
    assert.deepEqual(
      lines.map(({ unsaid }) => unsaid),
      [0, 0, 0, 0],
    );
    time.advance(60_000);
    concealed(full(), log);
    assert.equal(lines[4]!.unsaid, 99);
  });
});
