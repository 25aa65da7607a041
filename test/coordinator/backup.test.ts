/** A backup of a coordinator in the middle of a round, and what becomes of the federation. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MemberStore } from '../../clients/typescript/federation/member-store.js';
import type { ParticipantEvent } from '../../clients/typescript/federation/participant-events.js';
import { openCoordinator } from '../../src/coordinator/coordinator.js';
import type { FederationReport } from '../../src/coordinator/coordinator-api.js';
import { openDatabase } from '../../src/coordinator/tables/database.js';
import { migrations } from '../../src/coordinator/tables/schema.js';
import { type FederationApi, type RoundStage, roundStages } from '../../src/protocol/federation/federation-api.js';
import { restoreBackup } from '../../src/server/backup/restore-backup.js';
import { writeBackup } from '../../src/server/backup/write-backup.js';
import { CoordinatorRig, testManifest } from '../support/coordinator-rig.js';
import { depth, thorough } from '../support/exhaustive.js';
import { federationRig } from '../support/federation-rig.js';
import { type StorePlace, storeEngines } from '../support/store-engines.js';

const role = { role: 'coordinator', schema: 'unused' } as const;
const stages = depth<readonly RoundStage[]>(roundStages, ['submitting']);

describe('a backup of a coordinator in a round', function () {
  this.timeout(120_000);
  let dir: string;
  const places: StorePlace[] = [];
  const rigs: CoordinatorRig[] = [];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-moved-'));
  });
  afterEach(async () => {
    for (const rig of rigs.splice(0)) await rig.close().catch(() => undefined);
    for (const place of places.splice(0)) await place.remove();
    await rm(dir, { recursive: true, force: true });
  });

  const manifest = testManifest({ rounds: { count: 1 }, evaluation: null });
  let expected: Float32Array;
  before(async () => {
    const whole = await CoordinatorRig.start({ manifest });
    expected = await newest(whole, await whole.play());
    await whole.close();
  });
  const newest = async (rig: CoordinatorRig, report: FederationReport): Promise<Float32Array> =>
    rig.version(report.versions.at(-1)!.version);

  for (const from of storeEngines)
    for (const to of storeEngines)
      for (const stage of stages)
        it(`in ${stage}, taken while it runs on ${from.name}, goes on elsewhere on ${to.name} to the same sum`, async () => {
          const [here, there] = [from.place(), to.place()];
          places.push(here, there);
          const running = await CoordinatorRig.start({ manifest, target: here.target });
          rigs.push(running);
          await running.play(({ round }) => round?.stage === stage);
          await running.stepAll(running.members.slice(0, 1)); // one of three has answered
          const file = join(dir, 'a.backup');
          await writeBackup(file, { ...role, target: here.target, stateDir: dirname(running.path) }, 1);
          await running.crash();
          await restoreBackup(file, { ...role, target: there.target, stateDir: join(dir, 'elsewhere'), migrations, force: false });
          const moved = CoordinatorRig.bare({ manifest, target: there.target, time: running.time });
          rigs.push(moved);
          await moved.open();
          assert.equal((await moved.report()).round?.stage, stage);
          const end = await moved.play(undefined, running.members);
          assert.deepEqual([end.state, end.aborted], ['finished', 0]);
          assert.deepEqual(await newest(moved, end), expected);
        });

  /** Where no file tells how far the federation has come, its members do. */
  thorough('gets no answer from members that have gone on since, and the newest database has them again', async () => {
    const rig = await federationRig();
    try {
      const federation = await rig.found({
        rounds: { count: 2, enlistSeconds: 0.2, stageSeconds: 120, gatherSeconds: 120, trainSeconds: 240 },
      });
      const [file, target] = [join(dir, 'a.backup'), join(dir, 'moved', 'coordinator.db')];
      const states = [0, 1, 2].map(() => MemberStore.memory());
      const backedUp: FederationApi = Object.assign(Object.create(federation.api(0)) as FederationApi, {
        submit: async (...given: Parameters<FederationApi['submit']>) => {
          await federation.api(0).submit(...given);
          if (given[0] === 1)
            await writeBackup(file, { ...role, target: join(rig.dir, '0', 'coordinator.db'), stateDir: join(rig.dir, '0') }, 1);
        },
      });
      const member = (at: number, more: object) => federation.participant(at, { state: states[at]!, ...more });
      const first = await Promise.all([0, 1, 2].map((at) => member(at, { rounds: 1, ...(at === 0 && { api: backedUp }) })));
      for (const { rounds } of await Promise.all(first.map((each) => each.run()))) assert.equal(rounds, 1);

      await restoreBackup(file, { ...role, target, stateDir: join(dir, 'moved'), migrations, force: false });
      const database = await openDatabase(target);
      const copy = await openCoordinator({ database, signingKey: federation.coordinatorKey });
      const asked: string[] = [];
      const told = new Set<number>();
      const stop = new AbortController();
      const misled = await Promise.all(
        [0, 1, 2].map((at) => {
          const real = copy.member(federation.open.id, `site${at}`);
          const api = new Proxy(real, {
            get: (whole, name: keyof FederationApi) => {
              if (name !== 'nextTask') asked.push(name);
              return whole[name];
            },
          });
          const onEvent = (event: ParticipantEvent): void => {
            if (event.type !== 'waiting' || !/went backwards: it has 1 broadcasts, and this member has \d/.test(event.reason)) return;
            if (told.add(at).size === 3) stop.abort();
          };
          return member(at, { api, onEvent });
        }),
      );
      for (const { stopped } of await Promise.all(misled.map((each) => each.run(stop.signal)))) assert.equal(stopped, 'cancelled');
      assert.deepEqual(
        asked.filter((name) => name !== 'manifest'),
        [],
      );
      await copy.close();
      await database.close();

      const again = await Promise.all([0, 1, 2].map((at) => member(at, {})));
      for (const { stopped } of await Promise.all(again.map((each) => each.run()))) assert.equal(stopped, 'finished');
    } finally {
      await rig.close();
    }
  });
});
