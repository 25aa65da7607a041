import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { RoundEffect, RoundEvent } from '../../../src/coordinator/rounds/round-event.js';
import { dueRound, MOST_EVALUATION_FAILURES, transition, wakeAt } from '../../../src/coordinator/rounds/round-machine.js';
import { roundPolicy } from '../../../src/coordinator/rounds/round-policy.js';
import { answeredMembers, expectedMembers, skipRefusal } from '../../../src/coordinator/rounds/round-stages.js';
import {
  type CoordinatorStage,
  type FederationMemory,
  newFederation,
  RECENT_ENDINGS,
} from '../../../src/coordinator/rounds/round-state.js';
import type { Comparison } from '../../../src/protocol/federation/promotion.js';
import { fewestSurvivors } from '../../../src/protocol/federation/round-mechanism.js';
import type { FederationSettingsInput } from '../../../src/protocol/federation/settings.js';
import { memberNames, testManifest } from '../../support/coordinator-rig.js';
import { anyOrder } from '../../support/founder-orders.js';

const stages: readonly CoordinatorStage[] = ['enlisting', 'sharing', 'submitting', 'confirming', 'unmasking', 'releasing'];

/** What an evaluated event rests on; the machine does not look at it. */
const metrics = { loss: 1, accuracy: 0.5, exactMatch: 0 };
const measured = { current: metrics, earlier: metrics };
const evaluation: Comparison = { promoted: measured, candidate: measured, participants: [] };

/** A machine with its clock. */
class Machine {
  readonly manifest;
  readonly policy;
  state: FederationMemory = newFederation(null);
  effects: RoundEffect[] = [];
  now = 0;

  constructor(settings: Omit<FederationSettingsInput, 'name'> = {}, members = 4, { manifest } = testManifest(settings, members)) {
    this.manifest = manifest;
    this.policy = roundPolicy(manifest);
  }

  /** The event, and the round that becomes due. */
  on(event: RoundEvent): void {
    this.#apply(event);
    const purpose = dueRound(this.state, this.now, this.policy);
    if (purpose !== null) this.#apply({ kind: 'begin', purpose, drawn: null, refusal: null });
  }

  #apply(event: RoundEvent): void {
    const { state, effects } = transition(this.state, event, this.now, this.policy);
    this.state = state;
    this.effects.push(...effects);
  }

  wait(ms: number): void {
    this.now += ms;
    this.on({ kind: 'tick' });
  }

  /** The numbers of these members answer the present stage. */
  answer(...members: number[]): void {
    const round = this.state.round!;
    for (const at of members) {
      const member = memberNames(this.policy.members.length)[at]!;
      if (round.stage === 'enlisting') this.on({ kind: 'enlisted', round: round.round, member, examples: 1 });
      else if (round.stage !== 'releasing') this.on({ kind: 'answered', round: round.round, stage: round.stage, member });
    }
  }

  get stage(): CoordinatorStage | undefined {
    return this.state.round?.stage;
  }
}

describe('round machine', () => {
  it('ends a stage when everybody has answered, and the round passes through all of them in order', () => {
    const machine = new Machine();
    machine.on({ kind: 'start', order: anyOrder });
    for (const stage of stages.slice(0, -1)) {
      assert.equal(machine.stage, stage);
      machine.answer(0, 1, 2, 3);
    }
    assert.equal(machine.stage, 'releasing');
    machine.on({ kind: 'released', round: 1, clipNorm: null });
    assert.deepEqual([machine.state.candidate, machine.state.round?.purpose], [1, 'evaluate']);
  });

  it('waits gatherSeconds for the smallest cohort, then enlistSeconds for more', () => {
    const machine = new Machine({ rounds: { gatherSeconds: 100, enlistSeconds: 10 } });
    machine.on({ kind: 'start', order: anyOrder });
    machine.answer(0, 1);
    machine.wait(99_999);
    assert.equal(machine.stage, 'enlisting');
    machine.answer(2);
    machine.wait(9_999);
    assert.equal(machine.stage, 'enlisting');
    machine.wait(1);
    assert.equal(machine.stage, 'sharing');
    assert.equal(machine.state.round!.enlisted.length, 3);
  });

  it('aborts a round whose cohort does not gather, and waits twice as long after each abort, up to five minutes', () => {
    const machine = new Machine();
    machine.on({ kind: 'start', order: anyOrder });
    machine.answer(0);
    const waits: number[] = [];
    for (let round = 1; round <= 12; round++) {
      machine.wait(600_000);
      assert.equal(machine.state.aborted, round);
      assert.equal(machine.state.round, null);
      const before = machine.now;
      machine.wait(wakeAt(machine.state, machine.policy)! - before);
      waits.push(machine.now - before);
      assert.equal(machine.state.round!.round, round + 1);
    }
    assert.deepEqual(
      waits,
      [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300].map((seconds) => seconds * 1000),
    );
  });

  it('goes on without stragglers at the cutoff, and not below the threshold', () => {
    const machine = new Machine({}, 6);
    machine.on({ kind: 'start', order: anyOrder });
    machine.answer(0, 1, 2, 3, 4, 5);
    machine.answer(0, 1, 2, 3, 4);
    assert.equal(machine.stage, 'sharing');
    machine.wait(60_000);
    assert.equal(machine.stage, 'submitting');
    machine.answer(0, 1, 2);
    machine.wait(3_600_000);
    assert.equal(machine.state.round, null);
    assert.match(machine.state.recent[0]!.aborted!, /submitting: 3 of at least 4 members/);
  });

  it('names the members that did not answer, in the reason and as lost', () => {
    const machine = new Machine({}, 6);
    machine.on({ kind: 'start', order: anyOrder });
    machine.answer(0, 1, 2, 3, 4);
    machine.wait(30_000);
    machine.answer(0, 1, 2, 3);
    machine.wait(60_000);
    machine.answer(0, 1, 2);
    machine.wait(3_600_000);
    const [ending] = machine.state.recent;
    assert.match(ending!.aborted!, /submitting: 3 of at least 4 members answered until its cutoff; no answer from member-003$/);
    assert.deepEqual([ending!.cohort, ending!.lost], [5, ['member-003', 'member-004']]);
  });

  it('names eight of many members that did not answer, and counts the rest', () => {
    const machine = new Machine({}, 20);
    machine.on({ kind: 'start', order: anyOrder });
    machine.wait(600_000);
    assert.match(machine.state.recent[0]!.aborted!, /no answer from member-000, .*member-007 and 12 more$/);
  });

  it('keeps the members that a released round went on without', () => {
    const machine = new Machine({ evaluation: null }, 4);
    machine.on({ kind: 'start', order: anyOrder });
    machine.answer(0, 1, 2, 3);
    machine.answer(0, 1, 2, 3);
    machine.answer(0, 1, 3);
    machine.wait(3_600_000);
    machine.answer(0, 1, 3);
    machine.answer(0, 1, 3);
    machine.on({ kind: 'released', round: 1, clipNorm: null });
    const [ending] = machine.state.recent;
    assert.deepEqual([ending!.version, ending!.cohort, ending!.lost], [1, 4, ['member-002']]);
  });

  it('names nobody as lost where the founder ends a round', () => {
    const machine = new Machine({}, 4);
    machine.on({ kind: 'start', order: anyOrder });
    machine.answer(0, 1, 2, 3);
    machine.answer(0, 1, 2);
    machine.on({ kind: 'pause', order: anyOrder });
    assert.deepEqual(machine.state.recent[0]!.lost, []);
  });

  describe('waits for members at work', () => {
    /** A released round in which members need `ms`. @returns the limit that it began with */
    const round = (machine: Machine, ms: number, members = [0, 1, 2, 3]): number => {
      machine.answer(0, 1, 2, 3);
      machine.answer(0, 1, 2, 3);
      const limit = machine.state.round!.deadline! - machine.now;
      machine.wait(ms);
      machine.answer(...members);
      if (members.length < 4) machine.wait(limit - ms);
      machine.answer(...members);
      machine.answer(...members);
      machine.on({ kind: 'released', round: machine.state.round!.round, clipNorm: null });
      return limit;
    };
    const started = (settings: Omit<FederationSettingsInput, 'name'> = {}): Machine => {
      const machine = new Machine({ evaluation: null, ...settings }, 4);
      machine.on({ kind: 'start', order: anyOrder });
      return machine;
    };

    it('as the manifest says at first, then four times as long as the longest of the last five rounds', () => {
      const machine = started();
      const limits = [100_000, 200_000, 50_000, 50_000, 50_000, 50_000, 50_000].map((ms) => round(machine, ms));
      assert.deepEqual(
        limits,
        [3600, 400, 800, 800, 800, 800, 800].map((seconds) => seconds * 1000),
      );
      assert.equal(round(machine, 1), 200_000);
    });

    it('never longer than trainSeconds, and not shorter than stageSeconds', () => {
      const long = started({ rounds: { trainSeconds: 300 } });
      round(long, 200_000);
      assert.equal(round(long, 1), 300_000);
      const short = started();
      round(short, 10);
      assert.equal(round(short, 10), 60_000);
      const shorter = started({ rounds: { trainSeconds: 30 } });
      round(shorter, 10);
      assert.equal(round(shorter, 10), 30_000);
    });

    it('longer after a round whose cutoff a member has missed', () => {
      const machine = started();
      round(machine, 20_000);
      assert.equal(round(machine, 20_000, [0, 1, 2]), 80_000);
      assert.equal(round(machine, 20_000), 320_000);
    });

    it('as before after a round that ended because members gave up', () => {
      const machine = started();
      machine.answer(0, 1, 2, 3);
      machine.answer(0, 1, 2, 3);
      for (const member of memberNames(4)) machine.on({ kind: 'gaveUp', round: 1, stage: 'submitting', member });
      assert.equal(machine.state.aborted, 1);
      machine.wait(1000);
      assert.equal(round(machine, 10), 3_600_000);
    });

    it('and looks at train and evaluate rounds apart', () => {
      const machine = started({ evaluation: {} });
      round(machine, 100_000);
      assert.equal(machine.state.round!.purpose, 'evaluate');
      machine.answer(0, 1, 2, 3);
      machine.answer(0, 1, 2, 3);
      assert.equal(machine.state.round!.deadline! - machine.now, 3_600_000);
    });
  });

  describe('with an order to skip a member', () => {
    const skip = (machine: Machine, at: number): void =>
      machine.on({
        kind: 'skip',
        round: machine.state.round!.round,
        member: memberNames(machine.policy.members.length)[at]!,
        order: anyOrder,
      });

    it('goes on at once in each stage, when all others have answered', () => {
      for (const [at, stage] of stages.slice(0, -1).entries()) {
        const machine = new Machine({}, 4);
        machine.on({ kind: 'start', order: anyOrder });
        for (let before = 0; before < at; before++) machine.answer(0, 1, 2, 3);
        machine.answer(0, 1, 2);
        assert.equal(machine.stage, stage);
        skip(machine, 3);
        assert.equal(machine.stage, stages[at + 1], stage);
      }
    });

    it('takes the answer of a member that comes while others are awaited', () => {
      const machine = new Machine({}, 5);
      machine.on({ kind: 'start', order: anyOrder });
      machine.answer(0, 1, 2, 3, 4);
      machine.answer(0, 1, 2, 3, 4);
      machine.answer(0, 1, 2);
      skip(machine, 4);
      assert.equal(machine.stage, 'submitting');
      machine.answer(4);
      machine.answer(3);
      assert.deepEqual(machine.state.round!.submitted, memberNames(5));
    });

    it('changes nothing where a floor of cohort, threshold or survivors would give way', () => {
      for (const [at, stage] of stages.slice(0, 3).entries()) {
        const machine = new Machine({}, 3);
        machine.on({ kind: 'start', order: anyOrder });
        for (let before = 0; before < at; before++) machine.answer(0, 1, 2);
        machine.answer(0, 1);
        const before = machine.state;
        skip(machine, 2);
        assert.deepEqual({ ...machine.state, orders: 0 }, { ...before, orders: 0 }, stage);
        const refusal = skipRefusal(machine.state.round!, 'member-002', machine.policy);
        assert.equal(
          refusal,
          `${stage} needs 3 members, and without member-002 there are at most 2; wait for it, or abort the round with cutlayer coordinator stop`,
        );
      }
    });

    it('counts members that gave up as gone: two skips do not pass where one would', () => {
      const machine = new Machine({}, 4);
      machine.on({ kind: 'start', order: anyOrder });
      machine.answer(0, 1, 2, 3);
      machine.answer(0, 1, 2, 3);
      machine.answer(0);
      skip(machine, 3);
      assert.deepEqual(machine.state.round!.gone, ['member-003']);
      skip(machine, 2);
      assert.deepEqual(machine.state.round!.gone, ['member-003']);
    });

    it('of another round, or of a member that has answered, changes nothing', () => {
      const machine = new Machine({}, 4);
      machine.on({ kind: 'start', order: anyOrder });
      machine.answer(0, 1, 2, 3);
      machine.answer(0);
      const { round } = machine.state;
      machine.on({ kind: 'skip', round: 2, member: 'member-001', order: anyOrder });
      machine.on({ kind: 'skip', round: 1, member: 'member-000', order: anyOrder });
      assert.deepEqual(machine.state.round, round);
    });
  });

  it('does not wait for members that have given up, and takes their answer when they come after all', () => {
    const machine = new Machine({}, 5);
    machine.on({ kind: 'start', order: anyOrder });
    machine.answer(0, 1, 2, 3);
    const gaveUp = { kind: 'gaveUp', round: 1, stage: 'enlisting', member: memberNames(5)[4]! } as const;
    machine.on(gaveUp);
    assert.equal(machine.stage, 'sharing');
    machine.answer(0, 1, 2);
    machine.on({ ...gaveUp, stage: 'sharing', member: memberNames(5)[3]! });
    assert.equal(machine.stage, 'submitting');
    machine.on({ ...gaveUp, stage: 'submitting', member: memberNames(5)[0]! });
    machine.answer(0, 1, 2);
    assert.deepEqual(machine.state.round!.submitted, memberNames(3));
  });

  for (const purpose of ['train', 'evaluate'] as const) {
    it(`makes no sum of fewer than three in ${purpose === 'train' ? 'a train' : 'an evaluate'} round, for each set of three to six members that loses some at sharing or submitting`, () => {
      for (let n = 3; n <= 6; n++) {
        const signed = testManifest({}, n);
        for (let pattern = 0; pattern < 3 ** n; pattern++) {
          const machine = new Machine({}, n, signed);
          const all = Array.from({ length: n }, (_, at) => at);
          machine.on({ kind: 'start', order: anyOrder });
          if (purpose === 'evaluate') {
            for (const _ of stages.slice(0, -1)) machine.answer(...all);
            machine.on({ kind: 'released', round: 1, clipNorm: null });
          }
          assert.equal(machine.state.round!.purpose, purpose);
          const lost = all.map((at) => Math.floor(pattern / 3 ** at) % 3);
          machine.answer(...all);
          for (const stage of [1, 2]) {
            if (machine.stage === undefined) continue; // aborted at sharing
            machine.answer(...all.filter((at) => lost[at] === 0 || lost[at]! > stage));
            if (lost.includes(stage)) machine.wait(3_600_000);
          }
          const stayed = lost.filter((at) => at === 0).length;
          assert.equal(machine.stage === 'confirming', stayed >= Math.max(3, Math.ceil((2 * n) / 3)), `${n} members, lost at ${lost}`);
        }
      }
    });
  }

  it('goes on with two of three that confirm and unmask a sum of three', () => {
    const machine = new Machine({}, 3);
    machine.on({ kind: 'start', order: anyOrder });
    for (const _ of ['enlisting', 'sharing', 'submitting']) machine.answer(0, 1, 2);
    machine.answer(0, 1);
    machine.wait(60_000);
    machine.answer(0, 1);
    assert.equal(machine.stage, 'releasing');
    assert.deepEqual(machine.state.round!.submitted, memberNames(3));
  });

  it('takes no more than cohort.max', () => {
    const machine = new Machine({ cohort: { max: 3 } });
    machine.on({ kind: 'start', order: anyOrder });
    machine.answer(3, 1, 0);
    assert.equal(machine.stage, 'sharing');
    machine.answer(2);
    assert.equal(machine.state.round!.sharers.length, 0);
  });

  it('begins by the clock or by new examples, as the trigger says', () => {
    const interval = new Machine({ rounds: { trigger: { kind: 'interval', seconds: 1000 } }, evaluation: null, secureAggregation: null });
    interval.on({ kind: 'start', order: anyOrder });
    interval.answer(0, 1, 2, 3);
    interval.answer(0, 1, 2, 3);
    interval.wait(10_000);
    interval.on({ kind: 'released', round: 1, clipNorm: null });
    assert.equal(wakeAt(interval.state, interval.policy), 1_000_000);
    interval.wait(989_999);
    assert.equal(interval.state.round, null);
    interval.wait(1);
    assert.equal(interval.state.round!.round, 2);

    const counted = new Machine({ rounds: { trigger: { kind: 'newExamples', count: 5, members: 2 } } });
    counted.on({ kind: 'start', order: anyOrder });
    assert.equal(wakeAt(counted.state, counted.policy), null);
    const ready = (at: number, is: boolean) => counted.on({ kind: 'ready', member: memberNames(4)[at]!, ready: is });
    ready(0, true);
    ready(0, true);
    ready(1, true);
    assert.equal(counted.state.round!.round, 1);
    assert.deepEqual(counted.state.ready, []);
  });

  it('pauses by aborting the round under way, and goes on at once when started again', () => {
    const machine = new Machine();
    machine.on({ kind: 'start', order: anyOrder });
    machine.answer(0, 1, 2, 3);
    machine.on({ kind: 'pause', order: anyOrder });
    assert.deepEqual([machine.state.status, machine.state.round, machine.state.aborted], ['paused', null, 1]);
    machine.wait(1e9);
    assert.equal(machine.state.round, null);
    machine.on({ kind: 'start', order: anyOrder });
    assert.equal(machine.state.round!.round, 2);
  });

  it('rejects a candidate that cannot be evaluated again and again, and trains on from the promoted version', () => {
    const machine = new Machine({ secureAggregation: null });
    machine.on({ kind: 'start', order: anyOrder });
    machine.answer(0, 1, 2, 3);
    machine.answer(0, 1, 2, 3);
    machine.on({ kind: 'released', round: 1, clipNorm: null });
    for (let failure = 1; failure <= MOST_EVALUATION_FAILURES; failure++) {
      assert.equal(machine.state.round!.purpose, 'evaluate');
      machine.wait(600_000);
      machine.wait(300_000);
    }
    assert.deepEqual(
      machine.effects.filter(({ kind }) => kind === 'reject'),
      [{ kind: 'reject', version: 1, round: null }],
    );
    assert.deepEqual([machine.state.round!.purpose, machine.state.round!.version], ['train', 0]);
  });

  it('finishes after the rounds that were asked for, once the last candidate is judged', () => {
    const machine = new Machine({ rounds: { count: 1 }, secureAggregation: null });
    machine.on({ kind: 'start', order: anyOrder });
    for (const _ of ['train', 'evaluate']) {
      machine.answer(0, 1, 2, 3);
      machine.answer(0, 1, 2, 3);
      assert.equal(machine.state.status, 'running');
      if (machine.state.candidate === null) machine.on({ kind: 'released', round: 1, clipNorm: null });
      else machine.on({ kind: 'evaluated', round: 2, better: true, evaluation });
    }
    assert.deepEqual([machine.state.status, machine.state.promoted], ['finished', 1]);
  });

  it('finishes instead of beginning a round that the privacy budget refuses', () => {
    const machine = new Machine();
    machine.state = { ...machine.state, status: 'running', candidate: 3, newest: 3 };
    const { state, effects } = transition(
      machine.state,
      { kind: 'begin', purpose: 'evaluate', drawn: null, refusal: 'spent' },
      0,
      machine.policy,
    );
    assert.deepEqual([state.status, state.candidate, state.round], ['finished', null, null]);
    assert.deepEqual(effects, [
      { kind: 'reject', version: 3, round: null },
      { kind: 'finished', reason: 'spent', order: null },
    ]);
  });

  it('asks only the members drawn for a round', () => {
    const machine = new Machine();
    const started = transition(machine.state, { kind: 'start', order: anyOrder }, 0, machine.policy).state;
    const drawn = memberNames(4).slice(1);
    machine.state = transition(started, { kind: 'begin', purpose: 'train', drawn, refusal: null }, 0, machine.policy).state;
    machine.answer(0, 1, 2, 3);
    assert.deepEqual(
      machine.state.round!.enlisted.map(({ name }) => name),
      drawn,
    );
    assert.equal(machine.stage, 'sharing');
    const few = transition(started, { kind: 'begin', purpose: 'train', drawn: drawn.slice(1), refusal: null }, 0, machine.policy).state;
    assert.match(few.recent[0]!.aborted!, /2 members were drawn, a round needs 3/);
  });

  const member = fc.integer({ min: 0, max: 3 }).map((at) => memberNames(4)[at]!);
  const round = fc.integer({ min: 0, max: 4 });
  const laterStage = fc.constantFrom('sharing', 'submitting', 'confirming', 'unmasking');
  const anyEvent: fc.Arbitrary<RoundEvent> = fc.oneof(
    {
      weight: 2,
      arbitrary: fc.constantFrom<RoundEvent>(
        { kind: 'start', order: anyOrder },
        { kind: 'start', order: anyOrder },
        { kind: 'tick' },
        { kind: 'pause', order: anyOrder },
      ),
    },
    { weight: 1, arbitrary: fc.constant<RoundEvent>({ kind: 'finish', reason: 'end', order: anyOrder }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('rollback' as const),
        version: fc.integer({ min: 0, max: 3 }),
        order: fc.constant(anyOrder),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('ready' as const), member, ready: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('failed' as const), round, reason: fc.constant('no') }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('released' as const), round, clipNorm: fc.constant(null) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('evaluated' as const), round, better: fc.boolean(), evaluation: fc.constant(evaluation) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('gaveUp' as const), round, stage: laterStage, member }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('answered' as const), round, stage: laterStage, member }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('skip' as const), round, member, order: fc.constant(anyOrder) }) },
  );
  /** Most of the time what fits, so that rounds get somewhere; now and then anything. */
  const script = fc.array(
    fc.oneof(
      { weight: 60, arbitrary: fc.record({ fitting: fc.integer({ min: 0, max: 3 }) }) },
      { weight: 2, arbitrary: fc.record({ event: anyEvent }) },
      { weight: 1, arbitrary: fc.record({ wait: fc.integer({ min: 0, max: 4_000_000 }) }) },
    ),
    { minLength: 40, maxLength: 160 },
  );

  /** Of those that have not answered, one. */
  const nextToAnswer = ({ state, policy }: Machine, choice: number): number => {
    const open = expectedMembers(state.round!, policy).filter((name) => !answeredMembers(state.round!).includes(name));
    return memberNames(4).indexOf(open[choice % Math.max(1, open.length)] ?? memberNames(4)[0]!);
  };

  for (const secure of [true, false]) {
    it(`keeps its promises under any sequence of events, secure aggregation ${secure ? 'on' : 'off'}`, () => {
      let releases = 0;
      const signed = testManifest({ secureAggregation: secure ? {} : null, rounds: { count: 3 } }, 4);
      fc.assert(
        fc.property(script, (steps) => {
          const machine = new Machine({}, 4, signed);
          machine.on({ kind: 'start', order: anyOrder });
          for (const step of steps) {
            const before = machine.state;
            const effectsBefore = machine.effects.length;
            const frozen = JSON.stringify(before);
            const number = before.round?.round ?? 0;
            const event: RoundEvent =
              'event' in step
                ? step.event
                : 'wait' in step
                  ? { kind: 'tick' }
                  : machine.stage === 'releasing'
                    ? before.round!.purpose === 'train'
                      ? { kind: 'released', round: number, clipNorm: null }
                      : { kind: 'evaluated', round: number, better: step.fitting % 2 === 0, evaluation }
                    : { kind: 'tick' };
            if ('wait' in step) machine.now += step.wait;
            const twin = new Machine({}, 4, signed);
            twin.now = machine.now;
            twin.state = JSON.parse(frozen) as FederationMemory;
            for (const each of [machine, twin]) {
              if ('fitting' in step && each.stage !== undefined && each.stage !== 'releasing')
                each.answer(nextToAnswer(each, step.fitting));
              else each.on(event);
            }
            const after = machine.state;
            assert.deepEqual(JSON.parse(JSON.stringify(after)), after, 'the state is JSON');
            assert.deepEqual(twin.state, after, 'the same events give the same state, from what was stored too');
            assert.equal(JSON.stringify(before), frozen, 'the state before is left as it was');
            assert.ok(after.rounds >= before.rounds && after.newest >= before.newest && after.released >= before.released);
            assert.ok(after.recent.length <= RECENT_ENDINGS);
            if (before.status === 'finished') assert.deepEqual(after, before);
            if (after.round !== null) {
              for (const list of [
                after.round.sharers,
                after.round.submitted,
                after.round.confirmed,
                after.round.unmasked,
                after.round.gone,
              ])
                assert.equal(new Set(list).size, list.length, 'nobody counts twice');
              const { enlisted, submitted, stage } = after.round;
              assert.equal(new Set(enlisted.map(({ name }) => name)).size, enlisted.length);
              assert.ok(submitted.every((name) => enlisted.some((each) => each.name === name)));
              if (before.round?.round === after.round.round)
                assert.ok(stages.indexOf(stage) >= stages.indexOf(before.round.stage), 'no stage goes back');
              if (stage === 'releasing') assert.ok(submitted.length >= fewestSurvivors(machine.manifest, enlisted.length));
              assert.ok(answeredMembers(after.round).length <= enlisted.length);
            }
            if (after.newest > before.newest) {
              releases += 1;
              assert.equal(before.round!.stage, 'releasing', 'no release before everything is there');
              assert.ok(machine.effects.slice(effectsBefore).some(({ kind }) => kind === 'ended'));
            }
          }
          const spent = machine.effects.filter(({ kind }) => kind === 'spend').map((effect) => (effect as { round: number }).round);
          assert.equal(new Set(spent).size, spent.length, 'a round is paid once');
          assert.ok(spent.length >= machine.state.released, 'every release is paid');
        }),
        { seed: 7, numRuns: 150 },
      );
      assert.ok(releases > 30, `only ${releases} releases were reached`);
    });
  }
});
