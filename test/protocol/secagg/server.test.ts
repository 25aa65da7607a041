/** Participants that lie to the coordinator: refused by name where the message shows it, and never a wrong sum where it does not. */
import assert from 'node:assert/strict';
import type { RevealedShares } from '../../../src/protocol/secagg/messages.js';
import { revealedTranscript } from '../../../src/protocol/secagg/messages.js';
import { unmaskSum, verifySealed } from '../../../src/protocol/secagg/server.js';
import { sign } from '../../../src/protocol/secagg/signature.js';
import { verifyAdvertisement, verifyConfirmation, verifyMasked, verifyRevealed } from '../../../src/protocol/secagg/verification.js';
import { roundOf, Table } from '../../support/secagg-table.js';

/** A round of six of whom one drops out after sharing, up to its revealed shares. */
const revealed = () => {
  const table = new Table(6).share();
  return table.submit(table.names.slice(0, 5)).confirm().reveal();
};

/** A participant's revealed shares with one byte of one share changed, signed anew by itself. */
function lying(table: Table, place: number, kind: 'maskKeyShares' | 'selfMaskShares'): RevealedShares {
  const { signature: _, ...message } = table.revealed[place]!;
  const [first, ...others] = message[kind];
  const changed = { ...message, [kind]: [{ owner: first!.owner, share: first!.share.with(9, first!.share[9]! ^ 1) }, ...others] };
  return {
    ...changed,
    signature: sign(table.site(place).identity.privateKey, revealedTranscript(table.round, table.cohort.digest, changed)),
  };
}

const unmask = (table: Table, shares: readonly RevealedShares[]) => {
  const { sum, cohort, sharers, survivors } = table;
  return unmaskSum(sum, { cohort, sharers, survivors, revealed: shares });
};

describe('the coordinator of secure aggregation', () => {
  it('leaves the sum that it is given as it is', async () => {
    const table = revealed();
    const before = Uint32Array.from(table.sum);
    assert.notDeepEqual((await table.unmask()).sum, before);
    assert.deepEqual(table.sum, before);
  });

  for (const kind of ['maskKeyShares', 'selfMaskShares'] as const) {
    it(`finds the one holder whose ${kind} are wrong, and does without them`, async () => {
      for (const place of [0, 3]) {
        const table = revealed();
        const { sum, liars } = await unmask(table, table.revealed.with(place, lying(table, place, kind)));
        assert.deepEqual(sum, table.plainSum(table.survivors));
        assert.deepEqual(liars, [table.names[place]]);
      }
    });

    it(`fails by name, and gives no sum, when more ${kind} are wrong than can be told apart`, async () => {
      const table = revealed();
      const shares = table.revealed.with(0, lying(table, 0, kind)).with(1, lying(table, 1, kind));
      await assert.rejects(unmask(table, shares), {
        code: 'SECAGG_FAILED',
        message: /the secret of site-00\d: the shares of 5 holders do not give what it has committed to/,
      });
    });

    it(`fails by name when no share of ${kind} is to spare for a wrong one`, async () => {
      const table = revealed();
      const shares = table.revealed.with(0, lying(table, 0, kind)).slice(0, 4);
      await assert.rejects(unmask(table, shares), { code: 'SECAGG_FAILED', message: /the shares of 4 holders do not give/ });
    });
  }

  it('fails by name when too few have revealed shares, or too few survive', async () => {
    const table = revealed();
    await assert.rejects(unmask(table, table.revealed.slice(0, 3)), {
      code: 'SECAGG_FAILED',
      message: /3 revealed their shares, the threshold is 4/,
    });
    const { sum, cohort, sharers } = table;
    const few = { cohort, sharers, survivors: table.names.slice(0, 3), revealed: table.revealed };
    await assert.rejects(unmaskSum(sum, few), { code: 'SECAGG_FAILED', message: /3 survivors, the threshold is 4/ });
    const three = new Table(3).share().submit().confirm().reveal();
    const two = { ...three, sharers: three.sharers, survivors: three.names.slice(0, 2), revealed: three.revealed };
    await assert.rejects(unmaskSum(three.sum, two), { code: 'SECAGG_FAILED', message: /2 survivors, at least 3 have to be in a sum/ });
    assert.throws(() => new Table(3).share().submit(three.names.slice(0, 2)), {
      code: 'SECAGG_FAILED',
      message: /submitting: 2 of 3 answered, at least 3/,
    });
    const unshared = { cohort, sharers: table.names.slice(1), survivors: table.survivors, revealed: table.revealed };
    await assert.rejects(unmaskSum(sum, unshared), { code: 'SECAGG_FAILED', message: /not among those who shared/ });
    await assert.rejects(unmaskSum(sum.subarray(1), { ...few, survivors: table.survivors }), { code: 'INVALID_SHAPE' });
  });

  it('fails by name when a share is missing from a message', async () => {
    const table = revealed();
    const shares = table.revealed.slice(0, 4).map((message) => ({ ...message, maskKeyShares: [] }));
    await assert.rejects(unmask(table, shares), { code: 'SECAGG_FAILED', message: /the secret of site-005: 0 shares came, 4 are needed/ });
  });

  it('refuses sealed shares that are not one pair for each neighbour', () => {
    const { cohort, sealed } = new Table(4).share();
    const own = sealed.filter(({ from }) => from === 'site-001');
    verifySealed(cohort, 'site-001', own);
    const refusal = (message: RegExp) => ({ code: 'SECAGG_REFUSED', message });
    assert.throws(() => verifySealed(cohort, 'site-001', own.slice(1)), refusal(/one pair for each of its 3 neighbours, got 2/));
    assert.throws(() => verifySealed(cohort, 'site-001', [...own, own[0]!]), refusal(/got 4/));
    assert.throws(() => verifySealed(cohort, 'site-001', own.with(0, own[1]!)), refusal(/one pair for each/));
    assert.throws(
      () => verifySealed(cohort, 'site-001', own.with(0, { ...own[0]!, from: 'site-002' })),
      refusal(/shares of site-002, sent by site-001/),
    );
    assert.throws(
      () => verifySealed(cohort, 'site-001', own.with(0, { ...own[0]!, ciphertext: new Uint8Array(79) })),
      refusal(/expected 80 bytes, got 79/),
    );
    assert.throws(() => verifySealed(cohort, 'stranger', own), refusal(/stranger is not in the cohort/));
  });

  it('refuses masked vectors of a wrong length or with elements outside the ring', () => {
    const round = roundOf({ bits: 16, length: 2 });
    verifyMasked(round, 'site', Uint32Array.of(0, 65_535));
    assert.throws(() => verifyMasked(round, 'site', Uint32Array.of(0)), { code: 'SECAGG_REFUSED', message: /expected 2 elements, got 1/ });
    assert.throws(() => verifyMasked(round, 'site', Uint32Array.of(0, 65_536)), {
      code: 'SECAGG_REFUSED',
      message: /below 2\^16, got 65536/,
    });
  });

  it("refuses advertisements and confirmations that are not their participant's", () => {
    const { round, cohort, survivors, confirmations, advertisements, roster } = new Table(4).share().submit().confirm();
    const [key, other] = [roster.get('site-000')!, roster.get('site-001')!];
    assert.throws(() => verifyAdvertisement(round, advertisements[0]!, other), { code: 'SECAGG_REFUSED', message: /not signed/ });
    verifyConfirmation(cohort, survivors, { ...confirmations[0]!, survivors: [] }, key);
    assert.throws(() => verifyConfirmation(cohort, survivors, confirmations[0]!, other), { code: 'SECAGG_REFUSED', message: /not signed/ });
    assert.throws(() => verifyConfirmation(cohort, survivors.slice(1), confirmations[0]!, key), {
      code: 'SECAGG_REFUSED',
      message: /not among/,
    });
  });

  it('refuses revealed shares that are not exactly those that the list of survivors asks for', () => {
    const table = revealed();
    const { cohort, sharers, survivors, roster } = table;
    const [honest] = table.revealed;
    const check = (message: RevealedShares) => verifyRevealed(cohort, sharers, survivors, message, roster.get(message.participant)!);
    const resigned = (changes: Partial<RevealedShares>): RevealedShares => {
      const { signature: _, ...message } = { ...honest!, ...changes };
      return { ...message, signature: sign(table.site(0).identity.privateKey, revealedTranscript(table.round, cohort.digest, message)) };
    };
    check(honest!);
    const refusal = (message: RegExp) => ({ code: 'SECAGG_REFUSED', message });
    assert.throws(() => check({ ...honest!, maskKeyShares: [] }), refusal(/not signed/));
    assert.throws(() => check(resigned({ maskKeyShares: [] })), refusal(/expected those of 5 survivors and 1 others/));
    assert.throws(
      () => check(resigned({ selfMaskShares: [...honest!.selfMaskShares, honest!.maskKeyShares[0]!] })),
      refusal(/expected those of 5 survivors/),
    );
    assert.throws(
      () => check(resigned({ maskKeyShares: [{ owner: 'site-005', share: new Uint8Array(31) }] })),
      refusal(/expected 32 bytes, got 31/),
    );
    assert.throws(
      () => verifyRevealed(cohort, sharers, survivors.slice(1), honest!, roster.get('site-000')!),
      refusal(/not among the survivors/),
    );
  });
});
