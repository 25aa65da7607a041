import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Database, openDatabase, type Transaction } from '../../../src/coordinator/tables/database.js';
import { type StorePlace, storeEngines } from '../../support/store-engines.js';
import { bytesOf } from '../../support/store-script.js';

const federation = 'a'.repeat(64);

for (const engine of storeEngines)
  describe(`store repositories on ${engine.name}`, () => {
    let place: StorePlace;
    let database: Database;
    const inside = <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => database.transaction(work);
    beforeEach(async () => {
      place = engine.place();
      database = await openDatabase(place.target);
      await inside((tx) =>
        tx.federations.create({
          id: federation,
          name: 'clinics',
          manifest: bytesOf(1, 300),
          signature: bytesOf(2, 64),
          status: 'created',
          state: { round: 0, cohort: [] },
          at: 1000,
        }),
      );
    });
    afterEach(async () => {
      await database.close();
      await place.remove();
    });

    const version = (number: number, status: 'candidate' | 'promoted' = 'candidate') => ({
      federation,
      version: number,
      parent: number === 0 ? null : number - 1,
      round: number === 0 ? null : number,
      status,
      digest: `digest-${number}`,
      details: { loss: number / 2 },
      parameters: bytesOf(number, 40),
      at: 1000 + number,
    });

    describe('federations', () => {
      it('come back as they were created and updated', async () => {
        await inside((tx) => tx.federations.update(federation, { status: 'running', state: { round: 3, cohort: ['anna'] }, at: 2000 }));
        assert.deepEqual(await inside((tx) => tx.federations.read(federation)), {
          id: federation,
          name: 'clinics',
          manifest: bytesOf(1, 300),
          signature: bytesOf(2, 64),
          status: 'running',
          state: { round: 3, cohort: ['anna'] },
          createdAt: 1000,
          updatedAt: 2000,
        });
        assert.deepEqual(await inside((tx) => tx.federations.ids()), [federation]);
      });

      it('are created once, and updated only when they are there', async () => {
        const again = { id: federation, name: 'x', manifest: bytesOf(1, 1), signature: bytesOf(1, 1), status: 'x', state: {}, at: 1 };
        await assert.rejects(
          inside((tx) => tx.federations.create(again)),
          { code: 'ALREADY_EXISTS' },
        );
        await assert.rejects(
          inside((tx) => tx.federations.update('other', { status: 'x', state: {}, at: 1 })),
          { code: 'NOT_FOUND' },
        );
        assert.equal(await inside((tx) => tx.federations.read('other')), undefined);
      });

      it('have a state of bounded size', async () => {
        const state = 'x'.repeat(4 * 1024 * 1024);
        await assert.rejects(
          inside((tx) => tx.federations.update(federation, { status: 'running', state, at: 1 })),
          { code: 'LIMIT_EXCEEDED', message: `state of federation ${federation}: expected at most 4194304 bytes of JSON, got 4194306` },
        );
      });

      it('are needed by everything else', async () => {
        await assert.rejects(
          inside((tx) => tx.privacySpend.record({ federation: 'other', round: 1, entry: {}, at: 1 })),
          { code: 'NOT_FOUND' },
        );
      });
    });

    describe('messages', () => {
      const key = { federation, round: 4, stage: 'sharing', member: 'anna' };

      it('are kept once: the same again is welcome, another of the same member and stage is refused', async () => {
        assert.equal(await inside((tx) => tx.messages.put({ ...key, bytes: bytesOf(1, 50), at: 1 })), 'stored');
        assert.equal(await inside((tx) => tx.messages.put({ ...key, bytes: bytesOf(1, 50), at: 2 })), 'repeated');
        await assert.rejects(
          inside((tx) => tx.messages.put({ ...key, bytes: bytesOf(2, 50), at: 3 })),
          { code: 'SUBMISSION_CONFLICT', message: 'round 4, sharing: expected the message that anna has sent before, got another one' },
        );
        const row = await inside((tx) => tx.messages.read(key));
        assert.deepEqual([row?.bytes, row?.length, row?.at], [bytesOf(1, 50), 50, 1]);
        for (const other of [{ round: 5 }, { stage: 'confirming' }, { member: 'ben' }]) {
          assert.equal(await inside((tx) => tx.messages.put({ ...key, ...other, bytes: bytesOf(2, 50), at: 3 })), 'stored');
        }
      });

      it('are known again when only their digest was kept', async () => {
        assert.equal(await inside((tx) => tx.messages.put({ ...key, bytes: bytesOf(1, 50), at: 1, keepBytes: false })), 'stored');
        assert.equal(await inside((tx) => tx.messages.put({ ...key, bytes: bytesOf(1, 50), at: 2, keepBytes: false })), 'repeated');
        await assert.rejects(
          inside((tx) => tx.messages.put({ ...key, bytes: bytesOf(2, 50), at: 3, keepBytes: false })),
          { code: 'SUBMISSION_CONFLICT' },
        );
        assert.equal((await inside((tx) => tx.messages.read(key)))?.bytes, null);
      });

      it('are listed by member, in the order of code units', async () => {
        const members = ['ben', 'Zoe', 'anna', 'a.b', 'a-b'];
        await inside(async (tx) => {
          for (const member of members) await tx.messages.put({ ...key, member, bytes: Buffer.from(member), at: 1 });
          assert.deepEqual(
            (await tx.messages.list(federation, 4, 'sharing')).map(({ member, bytes }) => [member, Buffer.from(bytes!).toString()]),
            [...members].sort().map((member) => [member, member]),
          );
          assert.deepEqual(await tx.messages.list(federation, 4, 'confirming'), []);
        });
      });
    });

    describe('accumulators', () => {
      const sum = { federation, round: 2, name: 'updates' };

      it('hold the newest sum and everybody in it', async () => {
        assert.equal(await inside((tx) => tx.accumulators.read(federation, 2, 'updates')), undefined);
        for (const [i, member] of ['ben', 'anna'].entries()) {
          await inside((tx) => tx.accumulators.include({ ...sum, member, bytes: bytesOf(i, 16) }));
        }
        assert.deepEqual(await inside((tx) => tx.accumulators.read(federation, 2, 'updates')), {
          bytes: bytesOf(1, 16),
          members: ['anna', 'ben'],
        });
      });

      it('never count a member twice', async () => {
        await inside((tx) => tx.accumulators.include({ ...sum, member: 'anna', bytes: bytesOf(1, 16) }));
        await assert.rejects(
          inside((tx) => tx.accumulators.include({ ...sum, member: 'anna', bytes: bytesOf(2, 16) })),
          { code: 'ALREADY_EXISTS', message: 'round 2, sum updates: anna is in it already' },
        );
        assert.deepEqual((await inside((tx) => tx.accumulators.read(federation, 2, 'updates')))?.bytes, bytesOf(1, 16));
        await inside((tx) => tx.accumulators.include({ ...sum, round: 3, member: 'anna', bytes: bytesOf(2, 16) }));
      });
    });

    it('of an ended round drop messages and sums, members and all, and only those', async () => {
      const sum = { federation, name: 'updates', member: 'anna', bytes: bytesOf(1, 4) };
      const rounds = [1, 2, 3];
      for (const round of rounds) {
        await inside((tx) => tx.messages.put({ federation, round, stage: 'sharing', member: 'anna', bytes: bytesOf(round, 5), at: 1 }));
        await inside((tx) => tx.accumulators.include({ ...sum, round }));
      }
      await inside((tx) => tx.pruneRound(federation, 2));
      for (const round of rounds) {
        assert.equal((await inside((tx) => tx.messages.list(federation, round, 'sharing'))).length, round === 2 ? 0 : 1);
        assert.deepEqual(
          (await inside((tx) => tx.accumulators.read(federation, round, 'updates')))?.members,
          round === 2 ? undefined : ['anna'],
        );
      }
      // The member's row went too: it can be counted again.
      await inside((tx) => tx.accumulators.include({ ...sum, round: 2 }));
    });

    describe('versions', () => {
      it('keep their lineage, standing and parameters', async () => {
        await inside(async (tx) => {
          await tx.versions.create(version(0, 'promoted'));
          await tx.versions.create(version(1));
          await tx.versions.setStatus(federation, 1, 'promoted', { loss: 0.25 });
          await tx.versions.setStatus(federation, 0, 'superseded');
        });
        const { parameters, ...first } = (await inside((tx) => tx.versions.read(federation, 0)))!;
        assert.deepEqual(parameters, bytesOf(0, 40));
        const second = {
          version: 1,
          parent: 0,
          round: 1,
          status: 'promoted',
          digest: 'digest-1',
          details: { loss: 0.25 },
          createdAt: 1001,
        };
        assert.deepEqual(first, {
          version: 0,
          parent: null,
          round: null,
          status: 'superseded',
          digest: 'digest-0',
          details: { loss: 0 },
          createdAt: 1000,
        });
        assert.deepEqual(await inside((tx) => tx.versions.list(federation)), [first, second]);
      });

      it('are made once, and judged only when they are there', async () => {
        await inside((tx) => tx.versions.create(version(0)));
        await assert.rejects(
          inside((tx) => tx.versions.create(version(0))),
          { code: 'ALREADY_EXISTS' },
        );
        await assert.rejects(
          inside((tx) => tx.versions.setStatus(federation, 7, 'promoted')),
          { code: 'NOT_FOUND' },
        );
      });

      it('may lose old parameters, never their row', async () => {
        await inside(async (tx) => {
          for (const number of [0, 1, 2, 3]) await tx.versions.create(version(number));
          assert.equal(await tx.versions.dropParameters(federation, { keep: [1, 3] }), 2);
          assert.equal(await tx.versions.dropParameters(federation, { keep: [1, 3] }), 0);
          const kept = [];
          for (const { version: number } of await tx.versions.list(federation)) {
            kept.push((await tx.versions.read(federation, number))?.parameters !== null);
          }
          assert.deepEqual(kept, [false, true, false, true]);
        });
      });
    });

    describe('broadcasts', () => {
      const broadcast = (seq: number) => ({ seq, bytes: bytesOf(seq, 30), signature: bytesOf(seq, 64), hash: `hash-${seq}`, at: seq });

      it('are added at the head only, and come back as they were signed', async () => {
        assert.equal(await inside((tx) => tx.broadcasts.head(federation)), undefined);
        await inside(async (tx) => {
          for (const seq of [0, 1, 2]) await tx.broadcasts.append(federation, broadcast(seq));
        });
        assert.deepEqual(await inside((tx) => tx.broadcasts.head(federation)), broadcast(2));
        assert.deepEqual(await inside((tx) => tx.broadcasts.list(federation, 1, 1)), [broadcast(1)]);
        assert.deepEqual(await inside((tx) => tx.broadcasts.list(federation, 0, 10)), [broadcast(0), broadcast(1), broadcast(2)]);
        for (const seq of [2, 4]) {
          await assert.rejects(
            inside((tx) => tx.broadcasts.append(federation, broadcast(seq))),
            { code: 'SUBMISSION_CONFLICT', message: `broadcast: expected number 3, got ${seq}` },
          );
        }
      });
    });

    describe('privacy spend', () => {
      it('is written once a round, and never changed', async () => {
        const row = { federation, round: 5, entry: { noiseMultiplier: 1.1, sampling: null }, at: 1 };
        assert.equal(await inside((tx) => tx.privacySpend.record(row)), 'stored');
        assert.equal(await inside((tx) => tx.privacySpend.record({ ...row, at: 2 })), 'repeated');
        await assert.rejects(
          inside((tx) => tx.privacySpend.record({ ...row, entry: { noiseMultiplier: 9 } })),
          { code: 'ALREADY_EXISTS' },
        );
        await inside((tx) => tx.privacySpend.record({ ...row, round: 3 }));
        assert.deepEqual(
          (await inside((tx) => tx.privacySpend.list(federation))).map(({ round, at }) => [round, at]),
          [
            [3, 1],
            [5, 1],
          ],
        );
      });
    });

    describe('server state', () => {
      it('comes back to the last bit, version by version', async () => {
        await inside((tx) => tx.versions.create(version(0)));
        await fc.assert(
          fc.asyncProperty(
            fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.float64Array({ maxLength: 20 })),
            async (vectors) => {
              await inside((tx) => tx.serverState.write(federation, 0, vectors));
              const read = await inside((tx) => tx.serverState.read(federation, 0));
              assert.deepEqual(Object.keys(read).sort(), Object.keys(vectors).sort());
              for (const name of Object.keys(vectors)) {
                assert.deepEqual(new Uint8Array(read[name]!.buffer), new Uint8Array(vectors[name]!.slice().buffer));
              }
            },
          ),
          { seed: 5, numRuns: 25 },
        );
      });

      it('is dropped with the versions that nobody goes on from', async () => {
        await inside(async (tx) => {
          for (const number of [0, 1, 2]) {
            await tx.versions.create(version(number));
            await tx.serverState.write(federation, number, { momentum: Float64Array.of(number), secondMoment: Float64Array.of(1) });
          }
          assert.equal(await tx.serverState.dropExcept(federation, { keep: [1] }), 4);
          assert.deepEqual(await tx.serverState.read(federation, 0), {});
          assert.deepEqual(await tx.serverState.read(federation, 1), { momentum: Float64Array.of(1), secondMoment: Float64Array.of(1) });
        });
      });
    });

    it('give bytes back as they were, empty ones and views into larger buffers too', async () => {
      const large = bytesOf(3, 1000);
      for (const [i, bytes] of [new Uint8Array(0), large.subarray(3, 10), Buffer.from([0, 255, 0]), bytesOf(8, 300_000)].entries()) {
        const key = { federation, round: 1, stage: 's', member: `m${i}` };
        await inside((tx) => tx.messages.put({ ...key, bytes, at: 1 }));
        const row = await inside((tx) => tx.messages.read(key));
        assert.ok(row?.bytes instanceof Uint8Array);
        assert.deepEqual(new Uint8Array(row.bytes), new Uint8Array(bytes));
      }
    });

    it('refuse values that the engine cannot hold instead of rounding them', async () => {
      for (const at of [1.5, 2 ** 53, Number.NaN]) {
        await assert.rejects(
          inside((tx) => tx.privacySpend.record({ federation, round: 1, entry: {}, at })),
          { code: 'INTERNAL', message: /expected text, a whole number, bytes or null/ },
        );
      }
    });
  });
