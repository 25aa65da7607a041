/** Whole rounds against an honest coordinator: the masked sum is the plain sum of those who stayed, or the round ends by name. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CutlayerError } from '../../../src/errors.js';
import { SecAggClient } from '../../../src/protocol/secagg/client.js';
import type { SecAggState } from '../../../src/protocol/secagg/client-state.js';
import type { Confirmation, RevealedShares, SealedShares } from '../../../src/protocol/secagg/messages.js';
import { addInto } from '../../../src/protocol/secagg/ring.js';
import { requireStage, unmaskSum } from '../../../src/protocol/secagg/server.js';
import { verifyRevealed } from '../../../src/protocol/secagg/verification.js';
import { depth, thorough } from '../../support/exhaustive.js';
import { seededRandom, Table } from '../../support/secagg-table.js';

/** A computation done once for each key. */
function remembered<T>(compute: (...sets: number[]) => T): (...sets: number[]) => T {
  const known = new Map<string, T>();
  return (...sets) => {
    const key = sets.join(' ');
    if (!known.has(key)) known.set(key, compute(...sets));
    return known.get(key)!;
  };
}

/**
 * Plays every pattern in which each of n participants leaves before sharing (1), submitting (2), confirming (3), unmasking (4), or never (5). The answers of a stage depend
 * only on who has answered so far, so each is computed once, by a client restored from its saved state, and patterns share them; sets of participants are bit masks.
 */
async function playAll(n: number): Promise<{ sums: number; aborts: number; smallest: number }> {
  const table = new Table(n, { length: 3 }, `every pattern of ${n}`);
  const { cohort, names, sites, roster, advertisements } = table;
  const namesOf = (set: number): string[] => names.filter((_, place) => (set >> place) & 1);
  const restore = (state: SecAggState, name: string) => SecAggClient.fromState(state, sites.get(name)!.identity);
  const inboxOf = (sealed: readonly SealedShares[], name: string, from: readonly string[]) =>
    sealed.filter((shares) => shares.to === name && from.includes(shares.from));

  const shared = new Map<string, SecAggState>();
  const sealed: SealedShares[] = [];
  for (const name of names) {
    const { client } = sites.get(name)!;
    sealed.push(...client.shareKeys(advertisements, roster));
    shared.set(name, client.toState());
  }
  /** Who of `sharers` has masked what, and the states after it; the refusal where one is due. */
  const masked = remembered((sharers: number) => {
    const results = new Map<string, { readonly vector: Uint32Array; readonly state: SecAggState }>();
    for (const name of namesOf(sharers)) {
      const client = restore(shared.get(name)!, name);
      const vector = client.mask(inboxOf(sealed, name, namesOf(sharers)), sites.get(name)!.ring);
      results.set(name, { vector, state: client.toState() });
    }
    return results;
  });
  const confirmed = remembered((sharers: number, survivors: number) => {
    const results = new Map<string, { readonly confirmation: Confirmation; readonly state: SecAggState }>();
    for (const name of namesOf(survivors)) {
      const client = restore(masked(sharers).get(name)!.state, name);
      const confirmation = client.confirm(namesOf(survivors));
      results.set(name, { confirmation, state: client.toState() });
    }
    return results;
  });
  const revealed = remembered((sharers: number, survivors: number, confirming: number) => {
    const results = new Map<string, RevealedShares>();
    const confirmations = namesOf(confirming).map((name) => confirmed(sharers, survivors).get(name)!.confirmation);
    for (const name of namesOf(confirming)) {
      const shares = restore(confirmed(sharers, survivors).get(name)!.state, name).unmask(confirmations);
      verifyRevealed(cohort, namesOf(sharers), namesOf(survivors), shares, roster.get(name)!);
      results.set(name, shares);
    }
    return results;
  });
  const refusesBelowThreshold = remembered((sharers: number, survivors: number, confirming: number) => {
    const below = (set: number, needed: number) => namesOf(set).length < needed;
    const first = namesOf(confirming || survivors || sharers)[0];
    if (first === undefined) return;
    const ask = (): unknown => {
      if (below(sharers, cohort.threshold))
        return restore(shared.get(first)!, first).mask(inboxOf(sealed, first, namesOf(sharers)), sites.get(first)!.ring);
      if (below(survivors, cohort.fewestSurvivors)) return restore(masked(sharers).get(first)!.state, first).confirm(namesOf(survivors));
      const confirmations = namesOf(confirming).map((name) => confirmed(sharers, survivors).get(name)!.confirmation);
      return restore(confirmed(sharers, survivors).get(first)!.state, first).unmask(confirmations);
    };
    assert.throws(ask, { code: 'SECAGG_REFUSED' });
  });

  let sums = 0;
  let aborts = 0;
  let smallest = n;
  for (let pattern = 0; pattern < 5 ** n; pattern++) {
    const leaves = Array.from({ length: n }, (_, place) => 1 + (Math.floor(pattern / 5 ** place) % 5));
    const still = (stage: number) => leaves.reduce((set, leave, place) => (leave > stage ? set | (1 << place) : set), 0);
    const [sharers, survivors, confirming, revealing] = [still(1), still(2), still(3), still(4)];
    try {
      requireStage(cohort, 'sharing', namesOf(sharers));
      requireStage(cohort, 'submitting', namesOf(survivors), namesOf(sharers));
      requireStage(cohort, 'confirming', namesOf(confirming), namesOf(sharers), namesOf(survivors));
    } catch (caught) {
      assert.equal(CutlayerError.from(caught).code, 'SECAGG_FAILED');
      refusesBelowThreshold(sharers, survivors, confirming);
      aborts++;
      continue;
    }
    const sum = new Uint32Array(3);
    for (const name of namesOf(survivors)) addInto(sum, masked(sharers).get(name)!.vector, 32);
    const answers = revealed(sharers, survivors, confirming);
    const input = {
      cohort,
      sharers: namesOf(sharers),
      survivors: namesOf(survivors),
      revealed: namesOf(revealing).map((name) => answers.get(name)!),
    };
    if (namesOf(revealing).length < cohort.threshold) {
      await assert.rejects(unmaskSum(sum, input), { code: 'SECAGG_FAILED' });
      aborts++;
      continue;
    }
    assert.deepEqual((await unmaskSum(sum, input)).sum, table.plainSum(namesOf(survivors)), `pattern ${leaves}`);
    smallest = Math.min(smallest, input.survivors.length);
    sums++;
  }
  return { sums, aborts, smallest };
}

/**
 * Patterns that end in a sum: at least t of n never leave, and at least s do not leave before their vector is in it.
 * Σ_k C(n, k) Σ_j C(n − k, j) · 2^(n − k), where k >= t never leave and j >= s − k leave after submitting.
 */
function expectedSums(n: number, t: number, s: number): number {
  const choose = (of: number, k: number): number => (k === 0 ? 1 : (choose(of, k - 1) * (of - k + 1)) / k);
  let sums = 0;
  for (let k = t; k <= n; k++) for (let j = Math.max(0, s - k); j <= n - k; j++) sums += choose(n, k) * choose(n - k, j) * 2 ** (n - k);
  return sums;
}

/** Drops `count` of the participants, each at a stage of its own, and plays the round. */
async function playDropping(table: Table, count: number, seed: number | string): Promise<void> {
  const random = seededRandom(`drop ${seed}`);
  const leaving = new Map<string, number>();
  while (leaving.size < count)
    leaving.set(table.names[random(2).reduce((a, b) => a * 256 + b, 0) % table.names.length]!, 1 + (random(1)[0]! % 4));
  const still = (stage: number) => table.names.filter((name) => (leaving.get(name) ?? 5) > stage);
  const { sum, liars } = await table.share(still(1)).submit(still(2)).confirm(still(3)).reveal(still(4)).unmask();
  assert.deepEqual(sum, table.plainSum(still(2)));
  assert.deepEqual(liars, []);
}

describe('a round of secure aggregation', () => {
  for (const [n, threshold] of [
    [3, 2],
    [4, 3],
    [5, 4],
    [6, 4],
  ].slice(0, depth(4, 2)) as [number, number][]) {
    it(`gives the right sum of three or more, or a clean abort, for each of the ${5 ** n} ways in which ${n} participants can leave`, async function () {
      this.timeout(180_000);
      const { sums, aborts, smallest } = await playAll(n);
      assert.equal(sums, expectedSums(n, threshold, Math.max(3, threshold)));
      assert.equal(sums + aborts, 5 ** n);
      assert.equal(smallest, Math.max(3, threshold));
    });
  }

  const many = 100;
  thorough(`gives the right sum for ${many} participants of whom a third drop out, on the neighbour graph`, async function () {
    this.timeout(180_000);
    const table = new Table(many, {}, 'a hundred');
    assert.ok(table.cohort.neighboursOf(table.names[0]!).length < many - 1);
    await playDropping(table, Math.floor(many / 3), 'a hundred');
  });

  it('gives the plain sum for any cohort, ring and drop-outs within the threshold', async function () {
    this.timeout(180_000);
    const rounds = fc.record({
      n: fc.integer({ min: 3, max: 9 }),
      bits: fc.integer({ min: 8, max: 32 }),
      length: fc.integer({ min: 1, max: 40 }),
      seed: fc.integer(),
    });
    await fc.assert(
      fc.asyncProperty(rounds, async ({ n, bits, length, seed }) => {
        const table = new Table(n, { bits, length }, seed);
        await playDropping(table, Math.abs(seed) % (n - table.cohort.fewestSurvivors + 1), seed);
      }),
      { seed: 31, numRuns: depth(40, 8) },
    );
  });

  it('ends by name when fewer than the threshold remain, at whichever stage', () => {
    const few = (table: Table) => table.names.slice(0, 3);
    const setTable = () => new Table(5); // threshold 4
    assert.throws(() => setTable().share(few(setTable())), {
      code: 'SECAGG_FAILED',
      message: /sharing: 3 of 5 answered, the threshold is 4/,
    });
    assert.throws(() => setTable().share().submit(few(setTable())), { code: 'SECAGG_FAILED', message: /submitting: 3 of 5/ });
    assert.throws(() => setTable().share().submit().confirm(few(setTable())), { code: 'SECAGG_FAILED', message: /confirming: 3 of 5/ });
    assert.throws(() => setTable().share().submit().confirm().reveal(few(setTable())), {
      code: 'SECAGG_FAILED',
      message: /unmasking: 3 of 5/,
    });
  });

  it('ends by name when a neighbourhood loses the holders of a secret, though enough of the cohort remain', () => {
    const graph = { completeUpTo: 4, colluding: 0, dropout: 0, sigma: 1 };
    const table = new Table(30, { graph, threshold: 0.55 }, 'sparse');
    const [owner] = table.names;
    const gone = table.cohort.neighboursOf(owner!);
    const present = table.names.filter((name) => !gone.includes(name));
    assert.ok(present.length >= table.cohort.threshold);
    assert.throws(() => table.share(present), { code: 'SECAGG_FAILED', message: /1 holders of site-000's secrets answered/ });
  });

  it('stops unmasking when it is cancelled', async () => {
    const { sum, cohort, sharers, survivors, revealed } = new Table(4).share().submit().confirm().reveal();
    await assert.rejects(unmaskSum(sum, { cohort, sharers, survivors, revealed, signal: AbortSignal.abort() }), { code: 'CANCELLED' });
  });
});
