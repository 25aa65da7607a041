/** What a coordinator may say that is not so, to a member whose others are honest: each is refused, and nothing of the member's update leaves. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { MemberStore } from '../../../clients/typescript/federation/member-store.js';
import type { ParticipantEvent } from '../../../clients/typescript/federation/participant-events.js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { type BroadcastContent, broadcastHash, signBroadcast } from '../../../src/protocol/federation/chain.js';
import { type Enlistment, enlistmentContext } from '../../../src/protocol/federation/enlistment.js';
import type { FederationApi, Task } from '../../../src/protocol/federation/federation-api.js';
import { type OrderPlace, signOrder } from '../../../src/protocol/federation/founder-order.js';
import { signPlainAdvertisement } from '../../../src/protocol/secagg/messages.js';
import { generateIdentity, type IdentityKey } from '../../../src/protocol/secagg/signature.js';
import { thorough } from '../../support/exhaustive.js';
import { type FederationRig, federationRig, type TestFederation } from '../../support/federation-rig.js';
import { anyOrder } from '../../support/founder-orders.js';

const short = {
  training: { batchSize: 2, steps: 1, learningRate: 0.02 },
  rounds: { count: 1, enlistSeconds: 0.05, stageSeconds: 120, trainSeconds: 120 },
};
const plain = { ...short, secureAggregation: null };

/** What a liar makes of the real coordinator. */
type Lie = (api: FederationApi, federation: TestFederation) => Partial<FederationApi>;

/** Changes tasks of one kind. */
function taskLie<K extends Task['kind']>(kind: K, change: (task: Extract<Task, { kind: K }>, federation: TestFederation) => Task): Lie {
  return (api, federation) => ({
    async nextTask(request, signal) {
      const answer = await api.nextTask(request, signal);
      // The kind has just been compared.
      return answer.task.kind === kind ? { ...answer, task: change(answer.task as Extract<Task, { kind: K }>, federation) } : answer;
    },
  });
}

describe('a participant, told by its coordinator', () => {
  let rig: FederationRig;
  before(async () => {
    rig = await federationRig();
  });
  after(() => rig?.close());

  /** Lies to the first member until it sits a round out or gives up; tells what it said, and which stages it answered. */
  const lieTo = async (lie: Lie, { settings = short as Readonly<Record<string, unknown>>, floors = {} } = {}) => {
    const federation = await rig.found(settings);
    const answered: string[] = [];
    const honest = federation.api(0);
    const liar = lie(honest, federation);
    const recorded = Object.fromEntries(
      (['enlist', 'shareKeys', 'submit', 'confirm', 'unmask'] as const).map((stage) => [
        stage,
        async (...given: [never, never]) => {
          answered.push(stage);
          await (liar[stage] ?? honest[stage]).call(honest, ...given);
        },
      ]),
    );
    const stop = new AbortController();
    let satOut: Extract<ParticipantEvent, { type: 'satOut' }> | undefined;
    // The api's methods are used unbound, as an interface allows.
    const bound = Object.fromEntries(
      (['manifest', 'nextTask', 'broadcasts', 'version'] as const).map((name) => [name, (liar[name] ?? honest[name]).bind(honest)]),
    );
    const api = { ...bound, ...recorded } as unknown as FederationApi;
    const onEvent = (event: ParticipantEvent): void => {
      if (event.type !== 'satOut') return;
      satOut ??= event;
      stop.abort();
    };
    const victim = await federation.participant(0, { api, floors, onEvent, evaluateLocally: false });
    const others = [await federation.participant(1), await federation.participant(2)];
    const running = others.map((other) => other.run(stop.signal));
    let fatal: CutlayerError | undefined;
    try {
      await victim.run(stop.signal);
    } catch (caught) {
      fatal = CutlayerError.from(caught);
    }
    stop.abort();
    await Promise.all(running);
    return { satOut, fatal, answered };
  };

  const refuses = async (
    lie: Lie,
    code: ErrorCode,
    message: RegExp,
    answeredBefore: readonly string[],
    options: Parameters<typeof lieTo>[1] = {},
  ) => {
    const { satOut, fatal, answered } = await lieTo(lie, options);
    assert.equal(fatal, undefined);
    assert.equal(satOut?.code, code, satOut?.message);
    assert.match(satOut.message, message);
    assert.deepEqual(answered, answeredBefore);
  };

  const exchanged = (change: (cohort: readonly Enlistment[], federation: TestFederation) => readonly Enlistment[]): Lie =>
    taskLie('submit', (task, federation) => ({ ...task, cohort: change(task.cohort, federation) }));
  const another = (cohort: readonly Enlistment[], name: string, change: (enlistment: Enlistment) => Enlistment) =>
    cohort.map((enlistment) => (enlistment.advertisement.participant === name ? change(enlistment) : enlistment));
  /** A member's own signature under a chain head. */
  const signed = (
    { open, identities }: TestFederation,
    member: number,
    { advertisement: _, ...terms }: Enlistment,
    chainHead: string,
  ): Enlistment => {
    const context = enlistmentContext({ ...terms, chainHead });
    const advertisement = signPlainAdvertisement({ federation: open.id, round: 1 }, identities[member]!, `site${member}`, context);
    return { ...terms, chainHead, advertisement };
  };

  it('other parameters than were broadcast, does not use them', () =>
    refuses(
      (api) => ({ version: async (version) => (await api.version(version)).map((value, at) => (at === 3 ? value + 1e-3 : value)) }),
      'DIGEST_MISMATCH',
      /has broadcast [0-9a-f]{64}; this member does not use them/,
      ['enlist', 'shareKeys'],
    ));

  it('a cohort in which a member has signed other broadcasts, says that the coordinator may have told two stories', () =>
    refuses(
      exchanged((cohort, federation) => another(cohort, 'site1', (enlistment) => signed(federation, 1, enlistment, 'ab'.repeat(32)))),
      'CHAIN_FORKED',
      /site1 has signed broadcasts that this member has never seen.*Compare the chain head/,
      ['enlist'],
      { settings: plain },
    ));

  it('a cohort without it, or with another enlistment of its own, refuses', async () => {
    await refuses(
      exchanged((cohort) => cohort.filter(({ advertisement }) => advertisement.participant !== 'site0')),
      'ROUND_REFUSED',
      /without this member/,
      ['enlist'],
      { settings: plain },
    );
    const forge = exchanged((cohort, federation) =>
      another(cohort, 'site0', (enlistment) => ({
        ...enlistment,
        advertisement: {
          ...enlistment.advertisement,
          signature: signed(federation, 1, enlistment, enlistment.chainHead).advertisement.signature,
        },
      })),
    );
    await refuses(forge, 'ROUND_REFUSED', /site0 is not signed by it/, ['enlist'], { settings: plain });
  });

  it('a cohort with a signature of somebody else, refuses', () =>
    refuses(
      exchanged((cohort, federation) =>
        another(cohort, 'site1', (enlistment) => {
          const context = enlistmentContext(enlistment);
          return {
            ...enlistment,
            advertisement: signPlainAdvertisement({ federation: federation.open.id, round: 1 }, generateIdentity(), 'site1', context),
          };
        }),
      ),
      'ROUND_REFUSED',
      /the enlistment of site1 is not signed by it for this round/,
      ['enlist'],
      { settings: plain },
    ));

  it('other terms than a member has signed, refuses', () =>
    refuses(
      exchanged((cohort) => another(cohort, 'site2', (enlistment) => ({ ...enlistment, examples: 99 }))),
      'ROUND_REFUSED',
      /site2 has signed other terms/,
      ['enlist'],
      { settings: plain },
    ));

  it('a member that is not on the roster, or twice in the cohort, refuses', async () => {
    const renamed = exchanged((cohort) =>
      another(cohort, 'site2', (enlistment) => ({ ...enlistment, advertisement: { ...enlistment.advertisement, participant: 'mallory' } })),
    );
    await refuses(renamed, 'ROUND_REFUSED', /mallory is in the cohort, and not on the roster/, ['enlist'], { settings: plain });
    await refuses(
      exchanged((cohort) => [...cohort, cohort[1]!]),
      'ROUND_REFUSED',
      /in the cohort twice/,
      ['enlist'],
      { settings: plain },
    );
  });

  it('a smaller cohort than its floor, refuses, whatever the coordinator’s own rule is', async () => {
    const smaller = taskLie('shareKeys', (task) => ({
      ...task,
      cohort: task.cohort.filter(({ advertisement }) => advertisement.participant !== 'site2'),
    }));
    await refuses(smaller, 'ROUND_REFUSED', /the cohort has 2 members, this member's floor is 3/, ['enlist']);
  });

  it('a round in which fewer could open its update than its raised floor, refuses', () =>
    refuses(() => ({}), 'SECAGG_REFUSED', /2 could open a secret, this participant's floor is 3/, ['enlist'], {
      floors: { minThreshold: 3 },
    }));

  it('to submit before any keys were shared, refuses', () =>
    refuses(
      taskLie('shareKeys', ({ round }) => ({ kind: 'submit', round, cohort: [], inbox: [] })),
      'ROUND_REFUSED',
      /before any keys were shared/,
      ['enlist'],
    ));

  it('a list of survivors without it, refuses to confirm', () =>
    refuses(
      taskLie('confirm', (task) => ({ ...task, survivors: ['site1', 'site2'] })),
      'SECAGG_REFUSED',
      /this participant is missing from the list/,
      ['enlist', 'shareKeys', 'submit'],
    ));

  thorough('a list of two survivors, refuses to confirm', () =>
    refuses(
      taskLie('confirm', (task) => ({ ...task, survivors: ['site0', 'site1'] })),
      'SECAGG_REFUSED',
      /survivors: 2, at least 3 have to be in a sum/,
      ['enlist', 'shareKeys', 'submit'],
    ),
  );

  it('a sum that differs from the one before by fewer members than its raised floor, refuses to confirm', () =>
    refuses(
      taskLie('confirm', (task) => (task.round === 1 ? task : { ...task, survivors: ['site0', 'site1'] })),
      'ROUND_REFUSED',
      /of the same members except site2; the difference of the two sums shows those alone, and this member's floor is 2/,
      ['enlist', 'shareKeys', 'submit', 'confirm', 'unmask', 'enlist', 'shareKeys', 'submit'],
      { settings: { ...short, evaluation: null, rounds: { ...short.rounds, count: 2 } }, floors: { minDifference: 2 } },
    ));

  it('two lists of survivors, confirms one of them', async () => {
    let asked = 0;
    const twice: Lie = (api) => ({
      async nextTask(request, signal) {
        const answer = await api.nextTask(
          request.done?.stage === 'confirming' && asked === 1 ? { ...request, done: { round: 1, stage: 'submitting' } } : request,
          signal,
        );
        if (answer.task.kind === 'unmask' && asked === 1) {
          asked = 2;
          return {
            ...answer,
            task: {
              kind: 'unmask',
              round: 1,
              confirmations: answer.task.confirmations.map((one) => ({ ...one, survivors: ['site0', 'site1'] })),
            },
          };
        }
        if (answer.task.kind === 'confirm') asked = 1;
        return answer;
      },
    });
    await refuses(twice, 'SECAGG_REFUSED', /./, ['enlist', 'shareKeys', 'submit', 'confirm']);
  });

  it('to train from a version that is not the promoted one, refuses', () =>
    refuses(
      taskLie('enlist', (task) => ({ ...task, version: 7 })),
      'ROUND_REFUSED',
      /told to train from version 7, but 0 is the promoted one/,
      [],
    ));

  it('that another version is promoted than was broadcast, refuses', () =>
    refuses(
      taskLie('enlist', (task) => ({ ...task, version: 7, promoted: 7 })),
      'ROUND_REFUSED',
      /told that version 7 is promoted, but the newest broadcast of it names 0/,
      [],
    ));

  it('to measure what is no candidate, refuses', () =>
    refuses(
      taskLie('enlist', (task) => ({ ...task, purpose: 'evaluate' })),
      'ROUND_REFUSED',
      /no candidate/,
      [],
    ));

  it('to submit without secure aggregation although the manifest has it, masks nothing for it', () =>
    refuses(
      taskLie('submit', (task) => ({ ...task, inbox: [] })),
      'SECAGG_REFUSED',
      /1 of the 2 shares that are needed/,
      ['enlist', 'shareKeys'],
    ));

  it('shares of another receiver, or that were altered on their way, refuses', async () => {
    const altered = taskLie('submit', (task) => ({
      ...task,
      inbox: task.inbox.map((sealed) => ({ ...sealed, ciphertext: sealed.ciphertext.map((byte, at) => (at === 5 ? byte ^ 1 : byte)) })),
    }));
    await refuses(altered, 'SECAGG_REFUSED', /do not open/, ['enlist', 'shareKeys']);
    const swapped = taskLie('submit', (task) => ({ ...task, inbox: task.inbox.map((sealed) => ({ ...sealed, to: 'site1' })) }));
    await refuses(swapped, 'SECAGG_REFUSED', /shares from site1 for site1|shares from site2 for site1/, ['enlist', 'shareKeys']);
  });

  it('to confirm a list with somebody whose shares it never had, refuses', () =>
    refuses(
      taskLie('confirm', (task) => ({ ...task, survivors: [...task.survivors, 'site9'] })),
      'SECAGG_REFUSED',
      /site9 is not in the cohort/,
      ['enlist', 'shareKeys', 'submit'],
    ));

  it('to confirm fewer survivors than the threshold, refuses', () =>
    refuses(
      taskLie('confirm', (task) => ({ ...task, survivors: ['site0'] })),
      'SECAGG_REFUSED',
      /survivors: 1, the threshold is 2/,
      ['enlist', 'shareKeys', 'submit'],
    ));

  it('to unmask with fewer confirmations than the threshold, or one counted twice, reveals nothing', async () => {
    const before = ['enlist', 'shareKeys', 'submit', 'confirm'];
    await refuses(
      taskLie('unmask', (task) => ({ ...task, confirmations: task.confirmations.slice(0, 1) })),
      'SECAGG_REFUSED',
      /confirmations: 1, the threshold is 2/,
      before,
    );
    await refuses(
      taskLie('unmask', (task) => ({ ...task, confirmations: [task.confirmations[0]!, task.confirmations[0]!] })),
      'SECAGG_REFUSED',
      /comes twice/,
      before,
    );
  });

  it('to unmask before it has confirmed anything, reveals nothing', () =>
    refuses(
      taskLie('confirm', ({ round }) => ({ kind: 'unmask', round, confirmations: [] })),
      'SECAGG_REFUSED',
      /no list of survivors was confirmed/,
      ['enlist', 'shareKeys', 'submit'],
    ));

  it('a stage of a round that it never entered, refuses', () =>
    refuses(
      taskLie('shareKeys', (task) => ({ ...task, round: 2 })),
      'ROUND_REFUSED',
      /this member's round is 1/,
      ['enlist'],
    ));

  it('that the federation is over, without a broadcast, goes on waiting', async () => {
    const stop = new AbortController();
    const events: ParticipantEvent[] = [];
    const federation = await rig.found(short);
    const real = federation.api(0);
    const api: FederationApi = Object.assign(Object.create(real) as FederationApi, {
      nextTask: async () => ({ task: { kind: 'finished', reason: 'go home' }, broadcasts: 1, remainingMs: 0 }),
    });
    const onEvent = (event: ParticipantEvent): void => {
      events.push(event);
      if (event.type === 'waiting') stop.abort();
    };
    const summary = await (await federation.participant(0, { api, onEvent, evaluateLocally: false })).run(stop.signal);
    assert.equal(summary.stopped, 'cancelled');
    assert.ok(!events.some(({ type }) => type === 'finished'));
  });

  it('a story that the manifest does not allow, the same to everybody, stops for good', async () => {
    const { fatal, answered } = await lieTo((api, { open, coordinatorKey }) => ({
      async broadcasts(from) {
        const broadcasts = await api.broadcasts(from);
        if (from > 0) return broadcasts;
        const [first] = broadcasts;
        const head = { seq: 0, hash: broadcastHash(first!.bytes) };
        const lie = { kind: 'rollback', version: 4, from: 0, order: anyOrder } as const;
        return [first!, signBroadcast(open.id, head, lie, 1, coordinatorKey.privateKey).signed];
      },
    }));
    assert.equal(fatal?.code, 'BROADCAST_REJECTED');
    assert.match(fatal.message, /which cannot be gone back to/);
    assert.deepEqual(answered, []);
  });

  it('a way back, or an end, that its founder has not signed, stops for good', async () => {
    const rollback = (version: number, founder: IdentityKey) => (id: string, place: OrderPlace) =>
      ({ kind: 'rollback', version, from: 1, order: signOrder(id, { kind: 'rollback', version }, place, founder.privateKey) }) as const;
    const end = { kind: 'finish', reason: 'over', privacy: null } as const;
    type Forged = (id: string, place: OrderPlace, founder: IdentityKey) => BroadcastContent;
    const replayed: Forged = (id, place, founder) => rollback(0, founder)(id, { ...place, chainHead: 'ab'.repeat(32) });
    const lies: readonly (readonly [Forged, RegExp])[] = [
      [(id, place) => rollback(0, generateIdentity())(id, place), /its rollback is not signed by the founder of the pinned manifest/],
      [replayed, /its founder gave the order at another place of the chain/],
      [() => ({ ...end, order: null }), /ends the federation after 1 aggregates \(the manifest names 9\) without its founder's signature/],
      [
        (id, place) => ({ ...end, order: signOrder(id, { kind: 'finish' }, place, generateIdentity().privateKey) }),
        /its finish is not signed by the founder of the pinned manifest/,
      ],
    ];
    for (const [forged, message] of lies) {
      const lie: Lie = (api, { open, coordinatorKey, founder }) => ({
        async broadcasts(from) {
          const real = await api.broadcasts(0);
          const promoted = real.slice(0, 3);
          if (promoted.length < 3) return api.broadcasts(from);
          const head = { seq: 2, hash: broadcastHash(promoted[2]!.bytes) };
          const content = forged(open.id, { number: 2, chainHead: head.hash }, founder);
          return [...promoted, signBroadcast(open.id, head, content, 1, coordinatorKey.privateKey).signed].slice(from);
        },
      });
      const { fatal } = await lieTo(lie, { settings: { ...short, evaluation: null, rounds: { ...short.rounds, count: 9 } } });
      assert.equal(fatal?.code, 'BROADCAST_REJECTED');
      assert.match(fatal.message, message);
    }
  });

  it('that its founder has ended it, with the signature, ends', async () => {
    const federation = await rig.found({ ...short, evaluation: null, rounds: { ...short.rounds, count: 9 } });
    const participants = [0, 1, 2].map((member) => federation.participant(member, { evaluateLocally: false }));
    const running = participants.map(async (participant) => (await participant).run());
    while ((await federation.coordinator.status())[0]!.released === 0) await pause(20);
    await federation.order({ kind: 'finish' });
    assert.deepEqual(new Set((await Promise.all(running)).map(({ stopped }) => stopped)), new Set(['finished']));
  });

  it('a broadcast with a foreign signature, stops for good', async () => {
    const forged = generateIdentity();
    const { fatal, answered } = await lieTo((_, { open }) => ({
      broadcasts: async () => [
        signBroadcast(open.id, null, { kind: 'begin', version: 0, digest: open.manifest.initialDigest }, 1, forged.privateKey).signed,
      ],
    }));
    assert.equal(fatal?.code, 'BROADCAST_REJECTED');
    assert.match(fatal.message, /not of the coordinator of the pinned manifest/);
    assert.deepEqual(answered, []);
  });

  it('a beginning with other parameters than the manifest names, stops for good', async () => {
    const { fatal } = await lieTo((_, { open, coordinatorKey }) => ({
      broadcasts: async () => [
        signBroadcast(open.id, null, { kind: 'begin', version: 0, digest: 'cd'.repeat(32) }, 1, coordinatorKey.privateKey).signed,
      ],
    }));
    assert.equal(fatal?.code, 'BROADCAST_REJECTED');
    assert.match(fatal.message, /begins with other parameters than the manifest names/);
  });

  it('another manifest than it has pinned, joins nothing', async () => {
    const [wanted, other] = [await rig.found(short), await rig.found({ ...short, name: 'others' })];
    const code = (error: unknown): boolean =>
      error instanceof CutlayerError && error.code === 'MANIFEST_REJECTED' && /another federation than you pinned/.test(error.message);
    await assert.rejects(wanted.participant(0, { api: other.api(0) }), code);
  });

  thorough('fewer broadcasts than it has, says that the coordinator went backwards, and goes on when it has them again', async () => {
    const federation = await rig.found({ ...short, evaluation: null, rounds: { ...short.rounds, count: 2 } });
    const real = federation.api(0);
    let asked = 0;
    let backwards = 0;
    const events: ParticipantEvent[] = [];
    const api: FederationApi = Object.assign(Object.create(real) as FederationApi, {
      nextTask: async (...given: Parameters<FederationApi['nextTask']>) => {
        const answer = await real.nextTask(...given);
        if (given[0].broadcastsKnown < 3 || asked++ >= 3) return answer;
        backwards += 1;
        return { ...answer, broadcasts: 1 };
      },
    });
    const victim = await federation.participant(0, { api, onEvent: (event) => events.push(event) });
    const others = [await federation.participant(1), await federation.participant(2)];
    const [summary] = await Promise.all([victim, ...others].map((participant) => participant.run()));
    assert.equal(backwards, 3);
    const told = events.filter((event) => event.type === 'waiting' && /went backwards/.test(event.reason));
    assert.ok(told.length > 0);
    assert.match(JSON.stringify(told), /it has 1 broadcasts, and this member has 3; its operator has to put the newest database back/);
    assert.equal(summary!.rounds, 2);
  });

  it('nothing new, it still raises its floors only', async () => {
    const federation = await rig.found(short);
    const state = MemberStore.memory();
    await federation.participant(0, { state, floors: { minThreshold: 3 } });
    await federation.participant(0, { state });
    const lower = (error: unknown): boolean =>
      error instanceof CutlayerError &&
      error.code === 'INVALID_OPTION' &&
      /floors are only raised, and 3 is pinned here before/.test(error.message);
    await assert.rejects(federation.participant(0, { state, floors: { minThreshold: 2 } }), lower);
    const own = (error: unknown): boolean =>
      error instanceof CutlayerError && /floors are only raised, and 3 is the manifest's own/.test(error.message);
    await assert.rejects(federation.participant(1, { floors: { minCohort: 2 } }), own);
    const most = (error: unknown): boolean => error instanceof CutlayerError && /at most 3 members/.test(error.message);
    await assert.rejects(federation.participant(1, { floors: { minCohort: 4 } }), most);
  });

  thorough('of an earlier round again, goes on with the one it is in', async () => {
    const federation = await rig.found({ ...short, rounds: { ...short.rounds, count: 2 } });
    const real = federation.api(0);
    const events: ParticipantEvent[] = [];
    let replayed = 0;
    const api: FederationApi = Object.assign(Object.create(real) as FederationApi, {
      nextTask: async (...given: Parameters<FederationApi['nextTask']>) => {
        const answer = await real.nextTask(...given);
        if (answer.task.kind !== 'shareKeys' || answer.task.round !== 2 || replayed > 0) return answer;
        replayed += 1;
        return { ...answer, task: { kind: 'enlist', round: 1, purpose: 'train', version: 1, promoted: 1 } as const };
      },
    });
    const victim = await federation.participant(0, { api, onEvent: (event) => events.push(event) });
    const others = [await federation.participant(1), await federation.participant(2)];
    const [summary] = await Promise.all([victim, ...others].map((participant) => participant.run()));
    const refusals = events.filter((event) => event.type === 'satOut');
    assert.equal(replayed, 1);
    assert.deepEqual(
      refusals.map(({ round, code }) => [round, code]),
      [[1, 'ROUND_REFUSED']],
    );
    assert.match(refusals[0]!.message, /an earlier round would be a replay/);
    assert.equal(summary!.rounds, 2, 'the round under way came to its end');
  });
});
