/** A member rides out an hour in which the coordinator's store fails: it gives up nothing, and asks seldom. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ParticipantEvent } from '../../../clients/typescript/federation/participant-events.js';
import { silentLog } from '../../../src/coordinator/rounds/federation-context.js';
import { concealed } from '../../../src/coordinator/service/store-faults.js';
import { CutlayerError } from '../../../src/errors.js';
import type { FederationApi } from '../../../src/protocol/federation/federation-api.js';
import { type FederationRig, federationRig } from '../../support/federation-rig.js';

const HOUR_MS = 3_600_000;

describe('a member of a coordinator whose store fails for an hour', function () {
  this.timeout(120_000);
  let rig: FederationRig;
  before(async () => {
    rig = await federationRig();
  });
  after(() => rig.close());

  for (const [stage, method] of [
    ['before it enlists', 'enlist'],
    ['when it submits its update', 'submit'],
    ['when it unmasks the sum', 'unmask'],
  ] as const)
    it(`goes on and finishes the round: the store fails ${stage}`, async () => {
      const federation = await rig.found();
      let clock = 0;
      let failsUntil = Number.POSITIVE_INFINITY;
      let failed = 0;
      const real = federation.api(0);
      const api = new Proxy(real, {
        get:
          (_, name: keyof FederationApi) =>
          (...given: never[]) => {
            if (name === method && failsUntil === Number.POSITIVE_INFINITY) failsUntil = clock + HOUR_MS;
            if (failsUntil === Number.POSITIVE_INFINITY || clock >= failsUntil)
              return (real[name] as (...all: never[]) => Promise<unknown>)(...given);
            failed += 1;
            return Promise.reject(concealed(new CutlayerError('IO_ERROR', 'store /srv/coordinator.db: the disk is full'), silentLog));
          },
      });
      const environment = {
        now: () => clock,
        random: () => 0.5,
        async sleep(ms: number) {
          clock += ms;
          await nextTurn();
        },
      };
      const events: ParticipantEvent[] = [];
      const victim = await federation.participant(0, { api, environment, onEvent: (event) => void events.push(event) });
      const others = [await federation.participant(1), await federation.participant(2)];
      const [summary] = await Promise.all([victim, ...others].map((participant) => participant.run()));
      assert.deepEqual([summary!.stopped, summary!.rounds], ['finished', 1]);
      const offline = events.filter((event) => event.type === 'offline');
      assert.ok(offline.every(({ code, message }) => code === 'UNAVAILABLE' && !/srv|disk/.test(message)));
      assert.ok(offline.reduce((sum, { delayMs }) => sum + delayMs, 0) >= HOUR_MS);
      assert.ok(failed >= 60 && failed <= 120, `${failed} calls in the hour`);
      assert.ok(events.some(({ type }) => type === 'online'));
      const aggregate = events.find((event) => event.type === 'aggregate');
      assert.ok(aggregate !== undefined && events.some(({ type }) => type === 'answered'));
    });
});
