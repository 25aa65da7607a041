/** What a coordinator and fewer colluders than the threshold know of one participant's vector: nothing beyond the sum. With one more they know all, so the test can tell. */
import assert from 'node:assert/strict';
import { Agreements } from '../../../src/protocol/secagg/agreements.js';
import { decodeState } from '../../../src/protocol/secagg/client-state.js';
import { openInbox } from '../../../src/protocol/secagg/dealing.js';
import { agree, agreementKey, pairMaskSeed, selfMaskCommitment, selfMaskSeed } from '../../../src/protocol/secagg/key-schedule.js';
import { applyMask } from '../../../src/protocol/secagg/mask.js';
import { rawPublicKey } from '../../../src/protocol/secagg/raw-keys.js';
import { reconstructSecret, type SharePoint } from '../../../src/protocol/secagg/shamir.js';
import { Table } from '../../support/secagg-table.js';

const VICTIM = 'site-000';

/** A whole round of seven, threshold 5, in which site-006 drops out after sharing; the victim's vector is all zeros. */
function played(): Table {
  const table = new Table(7, { length: 4096 }, 'secrecy');
  table.site(0).ring.fill(0);
  return table.share().submit(table.names.slice(0, 6)).confirm().reveal();
}

/** What colluders hold of the victim's secrets, out of their whole memory and all that the coordinator has routed. */
function heldShares(table: Table, colluders: readonly string[]): { readonly maskKey: SharePoint[]; readonly selfMask: SharePoint[] } {
  const { cohort, sites } = table;
  const points = colluders.map((name) => {
    const { secrets, masking } = decodeState(sites.get(name)!.client.toState());
    const held = openInbox(cohort, name, secrets, masking?.inbox ?? table.inbox(name), new Agreements(secrets.encryptionKey)).get(VICTIM)!;
    return { x: cohort.holdersOf(VICTIM).indexOf(name) + 1, held };
  });
  return {
    maskKey: points.map(({ x, held }) => ({ x, share: held.maskKey })),
    selfMask: points.map(({ x, held }) => ({ x, share: held.selfMask })),
  };
}

/** The victim's masked vector without every mask that coordinator and colluders can compute. */
function stripped(table: Table, colluders: readonly string[]): Uint32Array {
  const { cohort, round, sites, revealed } = table;
  const vector = Uint32Array.from(table.masked.get(VICTIM)!);
  // The self-mask, which every coordinator opens for a survivor.
  const shares = revealed.map((message) => ({
    x: cohort.holdersOf(VICTIM).indexOf(message.participant) + 1,
    share: message.selfMaskShares.find(({ owner }) => owner === VICTIM)!.share,
  }));
  const selfMask = reconstructSecret(shares.slice(0, cohort.holderThreshold));
  assert.deepEqual(selfMaskCommitment(round, VICTIM, selfMask), cohort.advertisementOf(VICTIM).selfMaskCommitment);
  applyMask(vector, selfMaskSeed(cohort, selfMask, VICTIM), round.bits, 'subtract');
  const takeOffPair = (other: string, secret: Uint8Array) =>
    applyMask(vector, pairMaskSeed(cohort, secret, VICTIM, other), round.bits, VICTIM < other ? 'subtract' : 'add');
  // With each colluder, from its own key.
  for (const name of colluders) {
    const { secrets } = decodeState(sites.get(name)!.client.toState());
    takeOffPair(name, agree(agreementKey(secrets.maskKey), cohort.advertisementOf(VICTIM).maskKey)!);
  }
  // With the one that dropped out, whose mask key every coordinator opens.
  if (!colluders.includes('site-006')) {
    const gone = revealed.map((message) => ({
      x: cohort.holdersOf('site-006').indexOf(message.participant) + 1,
      share: message.maskKeyShares.find(({ owner }) => owner === 'site-006')!.share,
    }));
    const maskKey = reconstructSecret(gone.slice(0, cohort.holderThreshold));
    takeOffPair('site-006', agree(agreementKey(maskKey), cohort.advertisementOf(VICTIM).maskKey)!);
  }
  // With all others, had the colluders the victim's own key.
  const points = heldShares(table, colluders).maskKey;
  const candidate = reconstructSecret(points.slice(0, cohort.holderThreshold));
  if (Buffer.compare(rawPublicKey('X25519', candidate), cohort.advertisementOf(VICTIM).maskKey) === 0)
    for (const name of table.names.filter((other) => ![VICTIM, 'site-006', ...colluders].includes(other)))
      takeOffPair(name, agree(agreementKey(candidate), cohort.advertisementOf(name).maskKey)!);
  return vector;
}

/** Chi-square of the vector's bytes against the uniform distribution, 255 degrees of freedom: a value above 350 has a probability below 1e-4. */
function chiSquare(vector: Uint32Array): number {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  const counts = new Float64Array(256);
  for (const byte of bytes) counts[byte]!++;
  const expected = bytes.length / 256;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe("secrecy of one participant's vector", () => {
  const table = played();
  const { threshold } = table.cohort;
  const colluders = table.names.slice(2, 2 + threshold - 1); // site-002 … site-005

  it('leaves a uniform vector to coordinator and one colluder fewer than the threshold, after a whole round', () => {
    const rest = stripped(table, colluders);
    assert.ok(chiSquare(rest) < 350, `chi-square ${chiSquare(rest)}`);
    assert.ok(rest.filter((value) => value === 0).length < 3);
  });

  it('is over with as many colluders as the threshold: the same attack gives the vector, so it would have been seen', () => {
    const rest = stripped(table, [...colluders, 'site-006']);
    assert.deepEqual(rest, table.site(0).ring);
  });

  for (const kind of ['maskKey', 'selfMask'] as const) {
    it(`leaves every ${kind} possible to one colluder fewer than the threshold`, () => {
      const points = heldShares(table, colluders)[kind];
      assert.equal(points.length, threshold - 1);
      const x = table.cohort.holdersOf(VICTIM).indexOf('site-006') + 1;
      for (const byte of [0, 31]) {
        const secrets = new Set<number>();
        for (let guess = 0; guess < 256; guess++)
          secrets.add(reconstructSecret([...points, { x, share: new Uint8Array(32).with(byte, guess) }])[byte]!);
        assert.equal(secrets.size, 256, `byte ${byte}`);
      }
      const { secrets } = decodeState(table.site(0).client.toState());
      const all = heldShares(table, [...colluders, 'site-006'])[kind];
      assert.deepEqual(reconstructSecret(all), secrets[kind]);
      assert.notDeepEqual(reconstructSecret(points), secrets[kind]);
    });
  }

  it('keeps the vector out of everything that the coordinator ever holds', () => {
    const other = new Table(5, { length: 16 }, 'stored').share().submit().confirm().reveal();
    const stored = Buffer.from(
      JSON.stringify([other.advertisements, other.sealed, [...other.sum], other.confirmations, other.revealed], (_, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
      ),
    );
    for (const { ring, client } of other.sites.values()) {
      assert.ok(!stored.includes([...ring.subarray(0, 2)].join()));
      const { secrets } = decodeState(client.toState());
      for (const secret of Object.values(secrets)) assert.ok(!stored.includes(Buffer.from(secret).toString('hex')));
    }
  });
});
