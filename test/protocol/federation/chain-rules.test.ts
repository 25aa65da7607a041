/** What a coordinator may not broadcast even when it tells everybody the same. */
import assert from 'node:assert/strict';
import { CutlayerError } from '../../../src/errors.js';
import type { Broadcast, BroadcastContent } from '../../../src/protocol/federation/chain.js';
import { type ChainState, follow, untold } from '../../../src/protocol/federation/chain-rules.js';
import { type FounderAction, type OrderPlace, signOrder } from '../../../src/protocol/federation/founder-order.js';
import type { FederationSettingsInput } from '../../../src/protocol/federation/settings.js';
import { generateIdentity, type IdentityKey } from '../../../src/protocol/secagg/signature.js';
import { founderKey, testManifest } from '../../support/coordinator-rig.js';

type Settings = Omit<FederationSettingsInput, 'name'>;

const digest = 'ab'.repeat(32);
const spent = (epsilon: number, rounds: number, delta = 1e-5) => ({ unit: 'client', epsilon, delta, rounds, sampling: 'none' }) as const;
const privacy = { noiseMultiplier: 1, clip: { kind: 'fixed', norm: 0.5 }, delta: 1e-5, maxEpsilon: 9 } as const;
const participants = ['member-000', 'member-001', 'member-002'];
const aggregate = (changes: Partial<Extract<BroadcastContent, { kind: 'aggregate' }>> = {}): BroadcastContent => ({
  kind: 'aggregate',
  round: 1,
  version: 1,
  parent: 0,
  digest,
  participants,
  weight: 3,
  clipNorm: null,
  privacy: null,
  ...changes,
});
const measured = (loss: number) => {
  const metrics = { loss, accuracy: 0.5, exactMatch: 0.5 };
  return { current: metrics, earlier: metrics };
};
const judged = (
  kind: 'promote' | 'reject',
  changes: Partial<Extract<BroadcastContent, { kind: 'promote' | 'reject' }>> = {},
): BroadcastContent => ({
  kind,
  version: 1,
  round: 2,
  promoted: measured(2),
  candidate: measured(kind === 'promote' ? 1 : 3),
  participants,
  privacy: null,
  ...changes,
});

/** The next broadcast, by the place where it is told. */
type Told = BroadcastContent | ((place: OrderPlace, federation: string) => BroadcastContent);

/** In place of the hash of broadcast `seq`. */
const hashOf = (seq: number): string => String(seq).padStart(64, '0');

/** Tells a story from its beginning. */
function tell(settings: Settings, ...story: readonly Told[]): ChainState {
  const { manifest, id } = testManifest(settings, 4);
  const begin: BroadcastContent = { kind: 'begin', version: 0, digest: manifest.initialDigest };
  return [begin, ...story].reduce<ChainState>((state, told, seq) => {
    const previous = seq === 0 ? null : hashOf(seq - 1);
    const content = typeof told === 'function' ? told({ number: state.orders + 1, chainHead: previous ?? '' }, id) : told;
    return follow(state, { ...content, federation: id, seq, previous, at: 0 } as Broadcast, manifest);
  }, untold);
}

/** What a founder ordered: at the place where it is told, unless told otherwise. */
interface Ordered {
  readonly place?: Partial<OrderPlace>;
  readonly action?: FounderAction;
  readonly by?: IdentityKey;
  readonly federation?: string;
}
const ordered = (action: FounderAction, given: Ordered, at: OrderPlace, federation: string) =>
  signOrder(given.federation ?? federation, given.action ?? action, { ...at, ...given.place }, (given.by ?? founderKey).privateKey);
const rollback =
  (version: number, from: number, given: Ordered = {}): Told =>
  (at, federation) => ({ kind: 'rollback', version, from, order: ordered({ kind: 'rollback', version }, given, at, federation) });
const finish =
  (given: Ordered = {}): Told =>
  (at, federation) => ({ kind: 'finish', reason: 'over', order: ordered({ kind: 'finish' }, given, at, federation), privacy: null });
const unordered = (privacy: ReturnType<typeof spent> | null = null): BroadcastContent => ({
  kind: 'finish',
  reason: 'over',
  order: null,
  privacy,
});

const byMajority: Settings = { secureAggregation: null, evaluation: { rule: 'majority' } };
const unjudged: Settings = { evaluation: null };
const unmeasured = (kind: 'promote' | 'reject', version = 1): BroadcastContent =>
  judged(kind, { version, round: null, promoted: null, candidate: null, participants: [] });
const secret: Settings = { evaluation: null, privacy };
const costly = (epsilon: number, rounds: number, changes: object = {}) =>
  aggregate({ clipNorm: 0.5, privacy: spent(epsilon, rounds), ...changes });

const twice: readonly Told[] = [
  aggregate(),
  judged('promote'),
  aggregate({ version: 2, parent: 1, round: 3 }),
  judged('promote', { version: 2, round: 4 }),
];
const twiceUnjudged: readonly Told[] = [
  aggregate(),
  unmeasured('promote'),
  aggregate({ version: 2, parent: 1, round: 2 }),
  unmeasured('promote', 2),
];
const paid = (epsilon: number, rounds: number) =>
  judged('promote', { round: null, promoted: null, candidate: null, participants: [], privacy: spent(epsilon, rounds) });

describe('a chain of broadcasts', () => {
  it('may tell of rounds, judgements, a way back and an end', () => {
    const state = tell(
      {},
      aggregate(),
      judged('promote'),
      aggregate({ version: 2, parent: 1, round: 3 }),
      judged('reject', { version: 2, round: 4 }),
      rollback(0, 1),
      aggregate({ version: 3, parent: 0, round: 7 }),
      judged('reject', { version: 3, round: null, promoted: null, candidate: null }),
      finish(),
    );
    assert.deepEqual([state.promoted, state.newest, state.round, state.finished], [0, 3, 7, true]);
    tell(byMajority, aggregate(), judged('promote', { votes: 2 }));
    tell(byMajority, aggregate(), judged('reject', { votes: 1, candidate: measured(1) }));
    tell(unjudged, aggregate(), unmeasured('promote'), aggregate({ version: 2, parent: 1, round: 2 }));
    tell(secret, costly(3, 1), judged('promote', { round: null, promoted: null, candidate: null, participants: [], privacy: spent(3, 1) }));
  });

  it('may end by itself after the last planned aggregate, or when the budget bears no other round', () => {
    assert.ok(tell({ ...unjudged, rounds: { count: 2 } }, ...twiceUnjudged, unordered()).finished);
    assert.ok(tell({ rounds: { count: 1 } }, aggregate(), judged('reject'), unordered()).finished);
    assert.ok(tell(secret, costly(8, 3), paid(8, 3), unordered(spent(8, 3))).finished);
  });

  it('may go back although a candidate is there, which is rejected first', () => {
    const candidate = [...twice, aggregate({ version: 3, parent: 2, round: 5 })];
    const state = tell({}, ...candidate, unmeasured('reject', 3), rollback(1, 2, { place: { chainHead: hashOf(5) } }));
    assert.deepEqual([state.promoted, state.candidate, state.orders], [1, null, 1]);
    tell({}, ...candidate, unmeasured('reject', 3), finish({ place: { number: 7 } }));
  });

  const lies: readonly (readonly [string, Settings, readonly Told[], RegExp])[] = [
    ['a second beginning', {}, [{ kind: 'begin', version: 0, digest }], /no second beginning/],
    ['anything after the end', {}, [finish(), aggregate()], /an earlier broadcast ended the federation/],
    [
      'other parameters for a version that is there',
      unjudged,
      [aggregate(), unmeasured('promote'), aggregate({ round: 2, parent: 1 })],
      /expected version 2, got 1/,
    ],
    ['a version left out', {}, [aggregate({ version: 2 })], /expected version 1, got 2/],
    ['a version made from one that is not promoted', unjudged, [aggregate({ parent: 3 })], /made from 3, and 0 is the promoted one/],
    [
      'an aggregate of a round that was over',
      unjudged,
      [aggregate({ round: 5 }), unmeasured('promote'), aggregate({ version: 2, parent: 1, round: 5 })],
      /round 5 was over/,
    ],
    ['an aggregate while the candidate is undecided', {}, [aggregate(), aggregate({ version: 2, round: 2 })], /nothing has been decided/],
    [
      'a member that is not on the roster',
      {},
      [aggregate({ participants: ['member-000', 'member-001', 'mallory'] })],
      /mallory is not on the roster/,
    ],
    ['a member twice', {}, [aggregate({ participants: ['member-000', 'member-000', 'member-001'] })], /counted twice/],
    ['an aggregate of one', {}, [aggregate({ participants: ['member-000'] })], /expected 3 to 4 members, got 1/],
    ['an aggregate of two', {}, [aggregate({ participants: participants.slice(0, 2) })], /expected 3 to 4 members, got 2/],
    [
      'an evaluation of two',
      {},
      [aggregate(), judged('promote', { participants: participants.slice(0, 2) })],
      /expected 3 to 4 members, got 2/,
    ],
    [
      'an aggregate of fewer than the manifest’s floor on survivors',
      { cohort: { min: 4 }, secureAggregation: { minSurvivors: 4 } },
      [aggregate()],
      /expected 4 to 4 members, got 3/,
    ],
    ['a promotion of what is no candidate', {}, [judged('promote', { version: 7 })], /version 7 is no candidate/],
    ['a promotion without the evaluation', {}, [aggregate(), unmeasured('promote')], /without the evaluation that the manifest asks for/],
    ['an evaluation that the manifest does not have', unjudged, [aggregate(), judged('promote')], /has no evaluation/],
    [
      'a promotion of what measured worse',
      {},
      [aggregate(), judged('promote', { candidate: measured(5) })],
      /promoted against the manifest's rule/,
    ],
    [
      'a rejection of what measured better',
      {},
      [aggregate(), judged('reject', { candidate: measured(1) })],
      /rejected against the manifest's rule/,
    ],
    [
      'a loss that no members can have',
      {},
      [aggregate(), judged('promote', { candidate: measured(-6.79) })],
      /3 members cannot have a mean loss of -6.79: expected 0 to 20/,
    ],
    ['a loss above the cap', {}, [aggregate(), judged('reject', { candidate: measured(20.5) })], /mean loss of 20.5/],
    [
      'an accuracy that no members can have',
      { evaluation: { metric: 'accuracy' } },
      [aggregate(), judged('reject', { candidate: { ...measured(1), current: { loss: 1, accuracy: -0.53, exactMatch: 0 } } })],
      /mean accuracy of -0.53: expected 0 to 1/,
    ],
    ['a divisor that is not the number of members', {}, [aggregate({ weight: 2 })], /expected the weight 3 of 3 members, got 2/],
    [
      'a divisor that no example counts give',
      { weights: { kind: 'examples', maxExamples: 10 } },
      [aggregate({ weight: 3.5 })],
      /expected a weight from 0.29\d* to 3 of 3 members, got 3.5/,
    ],
    ['votes where the mean decides', {}, [aggregate(), judged('promote', { votes: 3 })], /expected no votes, got 3/],
    ['no votes where the majority decides', byMajority, [aggregate(), judged('promote')], /expected at most 3 votes, got none/],
    [
      'a promotion against the majority',
      byMajority,
      [aggregate(), judged('promote', { votes: 1 })],
      /promoted against the manifest's rule/,
    ],
    [
      'a judgement by fewer members than are asked for',
      { evaluation: { minMembers: 4 } },
      [aggregate(), judged('promote')],
      /judged by 3 members, and 4 are asked for/,
    ],
    ['a judgement without metrics', {}, [aggregate(), judged('promote', { candidate: null })], /without metrics/],
    ['a way back to what there never was', {}, [rollback(4, 0)], /version 4, which cannot be gone back to/],
    ['a way back from what is not promoted', {}, [rollback(0, 4)], /from version 4, and 0 is the promoted one/],
    [
      'a way back that its founder has not signed',
      {},
      [...twice, rollback(0, 2, { by: generateIdentity() })],
      /rollback is not signed by the founder/,
    ],
    [
      'a way back that was signed for another version',
      {},
      [...twice, rollback(0, 2, { action: { kind: 'rollback', version: 1 } })],
      /not signed/,
    ],
    ['a way back that was signed for another federation', {}, [...twice, rollback(0, 2, { federation: 'ee'.repeat(32) })], /not signed/],
    ['a way back with the signature of an end', {}, [...twice, rollback(0, 2, { action: { kind: 'finish' } })], /not signed/],
    [
      'a way back that was ordered before something else was broadcast',
      {},
      [...twice, rollback(0, 2, { place: { chainHead: hashOf(2) } })],
      /at another place of the chain/,
    ],
    [
      'a way back a second time by the same order',
      unjudged,
      [...twiceUnjudged, rollback(0, 2), rollback(1, 0, { place: { number: 1 } })],
      /order has number 1, and number 1 was broadcast before/,
    ],
    [
      'a way back past a judgement that its founder had not seen',
      {},
      [
        aggregate(),
        judged('promote'),
        aggregate({ version: 2, parent: 1, round: 3 }),
        judged('reject', { version: 2, round: 4 }),
        rollback(0, 1, { place: { chainHead: hashOf(3) } }),
      ],
      /at another place of the chain/,
    ],
    [
      'an end that its founder has not signed',
      {},
      [aggregate(), judged('promote'), unordered()],
      /ends the federation after 1 aggregates \(the manifest names no number\) without its founder's signature/,
    ],
    ['an end that somebody else has signed', {}, [finish({ by: generateIdentity() })], /finish is not signed by the founder/],
    ['an end with the signature of a pause', {}, [finish({ action: { kind: 'pause' } })], /finish is not signed/],
    [
      'an end before the last planned aggregate',
      { ...unjudged, rounds: { count: 2 } },
      [aggregate(), unmeasured('promote'), unordered()],
      /after 1 aggregates \(the manifest names 2\) without/,
    ],
    [
      'an end while the last candidate is undecided',
      { rounds: { count: 1 } },
      [aggregate(), unordered()],
      /nothing has been decided about version 1/,
    ],
    [
      'an end for a budget that bears more rounds',
      secret,
      [costly(3, 1), paid(3, 1), unordered(spent(3, 1))],
      /without its founder's signature/,
    ],
    [
      'an end with a smaller cost than before',
      secret,
      [costly(3, 1), paid(3, 1), unordered(spent(2, 40))],
      /epsilon 2 after 40 rounds, and 3/,
    ],
    ['an end for a budget that there is not', {}, [unordered(spent(3, 1000))], /its account of privacy/],
    ['another clip norm than the manifest’s', secret, [costly(3, 1, { clipNorm: 50 })], /manifest's clip norm 0.5, got 50/],
    ['no clip norm where there is one', secret, [costly(3, 1, { clipNorm: null })], /manifest's clip norm 0.5, got null/],
    ['a clip norm where there is none', unjudged, [aggregate({ clipNorm: 1e-9 })], /the manifest has no clip norm/],
    ['a private round without its cost', secret, [aggregate({ clipNorm: 0.5 })], /its account of privacy/],
    [
      'a cost that was larger before',
      secret,
      [costly(3, 1), judged('promote', { round: null, promoted: null, candidate: null, privacy: spent(2, 1) })],
      /epsilon 2 after 1 rounds, and 3/,
    ],
    ['a release that costs nothing', secret, [costly(3, 0)], /after 0 rounds/],
    ['a cost over the budget', secret, [costly(9.5, 1)], /over the manifest's 9/],
    ['a cost for another delta', secret, [aggregate({ clipNorm: 0.5, privacy: spent(3, 1, 0.1) })], /for delta 0.1/],
  ];
  for (const [lie, settings, story, message] of lies) {
    it(`may not tell of ${lie}`, () => {
      assert.throws(
        () => tell(settings, ...story),
        (error) => error instanceof CutlayerError && error.code === 'BROADCAST_REJECTED' && message.test(error.message),
      );
    });
  }
});
