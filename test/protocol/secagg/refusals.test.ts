/** Lies of a coordinator, each refused by name; whoever has refused answers nothing more in the round. */
import assert from 'node:assert/strict';
import { CutlayerError } from '../../../src/errors.js';
import { Agreements } from '../../../src/protocol/secagg/agreements.js';
import { SecAggClient } from '../../../src/protocol/secagg/client.js';
import { decodeState } from '../../../src/protocol/secagg/client-state.js';
import { Cohort } from '../../../src/protocol/secagg/cohort.js';
import { sealDealt } from '../../../src/protocol/secagg/dealing.js';
import { type Advertisement, confirmationTranscript, type SealedShares, signAdvertisement } from '../../../src/protocol/secagg/messages.js';
import { generateIdentity, sign } from '../../../src/protocol/secagg/signature.js';
import { context, lowPins, roundOf, type Site, seededRandom, Table } from '../../support/secagg-table.js';

/** What the coordinator does to its first participant; `victim` is the client that has to refuse. */
type Lie = (table: Table, victim: SecAggClient) => unknown;

function refuses(title: string, prepare: () => Table, lie: Lie, rule: RegExp): void {
  it(title, () => {
    const table = prepare();
    const { client } = table.site(0);
    assert.throws(() => lie(table, client), { code: 'SECAGG_REFUSED', message: rule });
    assert.match(client.refusal ?? '', rule);
    // Dead for the round, whatever it is asked next; and after a restart.
    const revived = SecAggClient.fromState(JSON.parse(JSON.stringify(client.toState())), table.site(0).identity);
    for (const dead of [client, revived]) {
      assert.throws(() => dead.advertise(context), { code: 'SECAGG_REFUSED', message: rule });
      assert.throws(() => dead.shareKeys(table.advertisements, table.roster), { code: 'SECAGG_REFUSED', message: rule });
      assert.throws(() => dead.mask(table.inbox(table.names[0]!), table.site(0).ring), { code: 'SECAGG_REFUSED', message: rule });
      assert.throws(() => dead.confirm(table.names), { code: 'SECAGG_REFUSED', message: rule });
      assert.throws(() => dead.unmask(table.confirmations), { code: 'SECAGG_REFUSED', message: rule });
    }
  });
}

const advertised = () => new Table(5);
const shared = () => new Table(5).share();
const masked = () => new Table(5).share().submit();
const confirmed = () => new Table(5).share().submit().confirm();

/** A graph so sparse that not everybody is a neighbour. */
const sparse = { graph: { completeUpTo: 4, colluding: 0, dropout: 0, sigma: 1 } };

/** The cohort's advertisements with one replaced. */
function withAdvertisement(table: Table, place: number, changes: Partial<Advertisement>): Advertisement[] {
  return table.advertisements.with(place, { ...table.advertisements[place]!, ...changes });
}

/** A colluding member's advertisement, properly signed. */
function signedBy(site: Site, table: Table, changes: Partial<Advertisement>, round = table.round): Advertisement {
  const { signature: _, ...fields } = table.advertisements[table.names.indexOf(site.name)]!;
  return signAdvertisement(round, site.identity, { ...fields, ...changes });
}

const share = (advertisements: (table: Table) => readonly Advertisement[]): Lie => {
  return (table, victim) => victim.shareKeys(advertisements(table), table.roster);
};

const mask = (inbox: (inbox: SealedShares[], table: Table) => SealedShares[]): Lie => {
  return (table, victim) => victim.mask(inbox(table.inbox(table.names[0]!), table), table.site(0).ring);
};

describe('a participant of secure aggregation, before a round', () => {
  const begin = (overrides: Parameters<typeof roundOf>[0], pins = lowPins) =>
    SecAggClient.begin(roundOf(overrides), pins, 'site', generateIdentity(seededRandom(1)), seededRandom(2));

  it('refuses a threshold of half the cohort or less', () => {
    assert.throws(() => begin({ threshold: 0.5 }), { code: 'SECAGG_REFUSED', message: /0.5 of the cohort is not more than half/ });
    assert.throws(() => begin({ threshold: Number.NaN }), { code: 'SECAGG_REFUSED' });
  });

  it('refuses a round that it has begun before', () => {
    assert.throws(() => begin({ round: 3 }, { ...lowPins, lastRound: 3 }), {
      code: 'SECAGG_REFUSED',
      message: /round 3: round 3 has already begun/,
    });
  });

  it('refuses a round older than one it has begun', () => {
    assert.throws(() => begin({ round: 2 }, { ...lowPins, lastRound: 3 }), { code: 'SECAGG_REFUSED', message: /round 2: round 3/ });
  });

  it('takes no settings whose largest cohort would need more neighbours than a secret can have holders', () => {
    const graph = { completeUpTo: 64, colluding: 1 / 3, dropout: 1 / 3, sigma: 40 };
    assert.throws(() => begin({ maxCohort: 2000, graph }), {
      code: 'INVALID_CONFIG',
      message: /a cohort of 2000 .* more than 254 neighbours/,
    });
  });

  it('takes no settings outside their range', () => {
    for (const bad of [
      { bits: 33 },
      { bits: 7 },
      { length: 0 },
      { minCohort: 1 },
      { maxCohort: 1 },
      { round: 0 },
      { threshold: 1.1 },
      { federation: '' },
    ])
      assert.throws(() => begin(bad), { code: 'INVALID_CONFIG', message: /secure aggregation: / }, JSON.stringify(bad));
  });
});

describe('a participant of secure aggregation, told a lie about the cohort', () => {
  const pinned = (pins: Partial<typeof lowPins>) => () => new Table(5, {}, 1, { ...lowPins, ...pins });

  refuses(
    'refuses to advertise a second time with another context',
    advertised,
    (_, victim) => victim.advertise(new Uint8Array(32)),
    /another context/,
  );
  refuses(
    'refuses a cohort below its own floor',
    pinned({ minCohort: 6 }),
    share(({ advertisements }) => advertisements),
    /5 participants, this one's floor is 6/,
  );
  refuses(
    'refuses a threshold below its own floor',
    pinned({ minThreshold: 5 }),
    share(({ advertisements }) => advertisements),
    /4 could open a secret, this participant's floor is 5/,
  );
  refuses(
    'refuses a cohort below the agreed minimum',
    () => new Table(5, { minCohort: 4 }),
    share(({ advertisements }) => advertisements.slice(0, 3)),
    /expected 4 to 300 participants, got 3/,
  );
  refuses(
    'refuses a cohort above the agreed maximum, whose sum could wrap',
    () => new Table(5, { maxCohort: 5 }),
    share((table) => [...table.advertisements, signedBy(table.site(1), table, { participant: 'sixth' })]),
    /expected 3 to 5 participants, got 6/,
  );
  refuses(
    'refuses unsigned keys',
    advertised,
    share((table) => withAdvertisement(table, 2, { signature: new Uint8Array(0) })),
    /site-002: not signed by its identity/,
  );
  refuses(
    "refuses a signature that is another member's",
    advertised,
    share((table) => table.advertisements.with(2, signAdvertisement(table.round, table.site(1).identity, table.advertisements[2]!))),
    /site-002: not signed by its identity/,
  );
  refuses(
    'refuses keys swapped between two members',
    advertised,
    share((table) => {
      const [, second, third] = table.advertisements;
      const keysOf = ({ encryptionKey, maskKey }: Advertisement) => ({ encryptionKey, maskKey });
      return table.advertisements.with(1, { ...second!, ...keysOf(third!) }).with(2, { ...third!, ...keysOf(second!) });
    }),
    /site-001: not signed by its identity/,
  );
  refuses(
    "refuses a member's two keys exchanged for one another",
    advertised,
    share((table) => {
      const { encryptionKey, maskKey } = table.advertisements[3]!;
      return withAdvertisement(table, 3, { encryptionKey: maskKey, maskKey: encryptionKey });
    }),
    /site-003: not signed by its identity/,
  );
  refuses(
    "refuses the coordinator's own key in place of a member's",
    advertised,
    share((table) => withAdvertisement(table, 3, { maskKey: Uint8Array.from(seededRandom('mitm')(32)) })),
    /site-003: not signed by its identity/,
  );
  refuses(
    'refuses an altered commitment',
    advertised,
    share((table) => withAdvertisement(table, 3, { selfMaskCommitment: new Uint8Array(32) })),
    /site-003: not signed by its identity/,
  );
  refuses(
    'refuses an altered context',
    advertised,
    share((table) => withAdvertisement(table, 3, { context: new Uint8Array(32) })),
    /site-003: not signed by its identity/,
  );
  refuses(
    'refuses an advertisement replayed from an earlier round',
    advertised,
    share((table) => table.advertisements.with(1, signedBy(table.site(1), table, {}, roundOf({ round: 2 })))),
    /site-001: not signed by its identity for this federation and round/,
  );
  refuses(
    'refuses an advertisement from another federation',
    advertised,
    share((table) => table.advertisements.with(1, signedBy(table.site(1), table, {}, roundOf({ federation: 'cd'.repeat(32) })))),
    /site-001: not signed by its identity for this federation and round/,
  );
  refuses(
    'refuses a name that is not on the roster',
    advertised,
    share((table) => {
      const random = seededRandom('sybil');
      const identity = generateIdentity(random);
      const fields = { participant: 'sybil', encryptionKey: random(32), maskKey: random(32), selfMaskCommitment: random(32), context };
      return [...table.advertisements, signAdvertisement(table.round, identity, fields)];
    }),
    /sybil is not on the roster/,
  );
  refuses(
    'refuses a member that is listed twice, each time with keys that it has signed',
    advertised,
    share((table) => {
      const random = seededRandom('twice');
      const keys = { encryptionKey: Uint8Array.from(random(32)), maskKey: Uint8Array.from(random(32)) };
      return [...table.advertisements, signedBy(table.site(1), table, keys)];
    }),
    /cohort: site-001 comes twice/,
  );
  refuses(
    "refuses a member that signs another's keys for its own",
    advertised,
    share((table) => {
      const { encryptionKey, maskKey } = table.advertisements[1]!;
      return table.advertisements.with(2, signedBy(table.site(2), table, { encryptionKey, maskKey }));
    }),
    /a key of site-002 comes twice/,
  );
  refuses(
    'refuses a member with one key for both purposes',
    advertised,
    share((table) => table.advertisements.with(2, signedBy(table.site(2), table, { encryptionKey: table.advertisements[2]!.maskKey }))),
    /a key of site-002 comes twice/,
  );
  refuses(
    'refuses an advertisement without a name',
    advertised,
    share((table) => table.advertisements.with(2, signedBy(table.site(2), table, { participant: '' }))),
    /without a name/,
  );
  refuses(
    'refuses a key of a wrong length',
    advertised,
    share((table) => table.advertisements.with(2, signedBy(table.site(2), table, { maskKey: new Uint8Array(31) }))),
    /site-002: maskKey: expected 32 bytes, got 31/,
  );
  refuses(
    'refuses a key of low order, for the shares',
    advertised,
    share((table) => table.advertisements.with(2, signedBy(table.site(2), table, { encryptionKey: new Uint8Array(32) }))),
    /site-002 is of low order/,
  );
  refuses(
    'refuses a cohort without itself',
    advertised,
    share((table) => table.advertisements.slice(1)),
    /this participant is missing from it/,
  );
  refuses(
    'refuses a cohort in which its own advertisement was altered',
    advertised,
    share((table) => table.advertisements.with(0, signedBy(table.site(0), table, { maskKey: Uint8Array.from(seededRandom('own')(32)) }))),
    /this participant's own maskKey was altered/,
  );
  refuses(
    'refuses to share keys with a second, different cohort',
    shared,
    share(({ advertisements }) => advertisements.slice(0, 4)),
    /asked again with another cohort/,
  );
  refuses(
    'refuses to share keys before it has advertised any',
    () => {
      const table = new Table(5);
      const { name, identity } = table.site(0);
      const client = SecAggClient.begin(table.round, lowPins, name, identity, seededRandom('fresh'));
      return Object.assign(table, { sites: new Map(table.sites).set(name, { ...table.site(0), client }) });
    },
    share(({ advertisements }) => advertisements),
    /nothing was advertised/,
  );
});

describe('a participant of secure aggregation, told a lie about the shares', () => {
  refuses(
    'refuses shares that do not open',
    shared,
    mask((inbox) => inbox.with(1, { ...inbox[1]!, ciphertext: inbox[1]!.ciphertext.with(0, inbox[1]!.ciphertext[0]! ^ 1) })),
    /the shares from site-002 do not open/,
  );
  refuses(
    "refuses one sender's shares under another's name",
    shared,
    mask((inbox) => inbox.with(0, { ...inbox[1]!, from: inbox[0]!.from })),
    /the shares from site-001 do not open/,
  );
  refuses(
    "refuses another's shares with its own name on them",
    shared,
    mask((inbox, table) =>
      inbox.with(0, { ...table.sealed.find(({ from, to }) => from === 'site-001' && to === 'site-003')!, to: 'site-000' }),
    ),
    /the shares from site-001 do not open/,
  );
  refuses(
    'refuses its own shares reflected',
    shared,
    mask((inbox, table) =>
      inbox.with(0, {
        ...table.sealed.find(({ from, to }) => from === 'site-000' && to === 'site-001')!,
        from: 'site-001',
        to: 'site-000',
      }),
    ),
    /the shares from site-001 do not open/,
  );
  refuses(
    'refuses shares made for another cohort',
    shared,
    mask((inbox) => {
      const other = new Table(5, { round: 4 }).share();
      return inbox.with(0, other.inbox('site-000')[0]!);
    }),
    /the shares from site-001 do not open/,
  );
  refuses(
    'refuses shares from a stranger',
    shared,
    mask((inbox) => [...inbox, { ...inbox[0]!, from: 'stranger' }]),
    /shares from stranger, who is no neighbour/,
  );
  refuses(
    'refuses shares from itself',
    shared,
    mask((inbox) => [...inbox, { ...inbox[0]!, from: 'site-000' }]),
    /shares from site-000, who is no neighbour/,
  );
  refuses(
    'refuses shares from a member that is not its neighbour',
    () => new Table(30, sparse, 'sparse').share(),
    mask((inbox, { cohort, names }) => {
      const far = names.find((name) => name !== names[0] && !cohort.neighboursOf(names[0]!).includes(name))!;
      return [...inbox, { ...inbox[0]!, from: far }];
    }),
    /who is no neighbour/,
  );
  refuses(
    "refuses the same neighbour's shares twice",
    shared,
    mask((inbox) => [...inbox, inbox[2]!]),
    /shares from site-003 come twice/,
  );
  refuses(
    'refuses shares that are for another',
    shared,
    mask((inbox) => inbox.with(0, { ...inbox[0]!, to: 'site-004' })),
    /shares from site-001 for site-004/,
  );
  refuses(
    'refuses fewer shares than open a secret',
    shared,
    mask((inbox) => inbox.slice(0, 2)),
    /3 of the 4 shares that are needed/,
  );
  refuses(
    'refuses an empty inbox',
    shared,
    mask(() => []),
    /1 of the 4 shares that are needed/,
  );
  refuses(
    'refuses a second, different inbox',
    masked,
    mask((inbox) => inbox.slice(1)),
    /asked again with another inbox/,
  );
  refuses(
    'refuses to mask a second vector',
    masked,
    (table, victim) => victim.mask(table.inbox('site-000'), table.site(1).ring),
    /asked again with another vector/,
  );
  refuses(
    'refuses a mask key of low order, whose pair mask everybody would know',
    () => {
      const table = new Table(5);
      const colluder = table.site(4);
      const advertisements = table.advertisements.with(4, signedBy(colluder, table, { maskKey: new Uint8Array(32) }));
      const sealed = table.names.slice(0, 4).flatMap((name) => table.sites.get(name)!.client.shareKeys(advertisements, table.roster));
      const { secrets } = decodeState(colluder.client.toState());
      sealed.push(...sealDealt(Cohort.form(table.round, advertisements), colluder.name, secrets, new Agreements(secrets.encryptionKey)));
      return Object.assign(table, { sealed, sharers: table.names });
    },
    mask((inbox) => inbox),
    /a key of site-004 is of low order/,
  );
  refuses(
    'refuses to mask before keys were shared',
    advertised,
    mask((inbox) => inbox),
    /mask: no keys were shared/,
  );
});

describe('a participant of secure aggregation, told a lie about the survivors', () => {
  const confirm =
    (survivors: (names: readonly string[]) => string[]): Lie =>
    (table, victim) =>
      victim.confirm(survivors(table.names));

  refuses(
    'refuses a sum of two, although the threshold of three is two',
    () => new Table(3).share().submit(),
    confirm((names) => names.slice(0, 2)),
    /survivors: 2, at least 3 have to be in a sum/,
  );
  refuses(
    'refuses fewer survivors than its own floor',
    () => new Table(6, {}, 1, { ...lowPins, minSurvivors: 6 }).share().submit(),
    confirm((names) => names.slice(0, 5)),
    /survivors: 5, this participant's floor is 6/,
  );
  refuses(
    "refuses fewer survivors than the round's floor",
    () => new Table(6, { minSurvivors: 6, minCohort: 6 }).share().submit(),
    confirm((names) => names.slice(0, 5)),
    /survivors: 5, at least 6 have to be in a sum/,
  );
  refuses(
    'refuses fewer survivors than the threshold',
    masked,
    confirm((names) => names.slice(0, 3)),
    /survivors: 3, the threshold is 4/,
  );
  refuses(
    'refuses a list without itself',
    masked,
    confirm((names) => names.slice(1)),
    /this participant is missing from the list/,
  );
  refuses(
    'refuses survivors whose shares have not come',
    () => {
      const table = new Table(5);
      return table.share(table.names.slice(0, 4)).submit();
    },
    confirm((names) => [...names]),
    /no shares have come from site-004/,
  );
  refuses(
    'refuses a survivor from outside the cohort',
    masked,
    confirm((names) => [...names, 'stranger']),
    /stranger is not in the cohort/,
  );
  refuses(
    'refuses a survivor that is counted twice',
    masked,
    confirm((names) => [...names.slice(0, 3), names[2]!]),
    /sorted names without repetition/,
  );
  refuses(
    'refuses a list out of order',
    masked,
    confirm((names) => names.toReversed()),
    /sorted names without repetition/,
  );
  refuses(
    'refuses to confirm a second list, in which a survivor is dead',
    confirmed,
    confirm((names) => names.slice(0, 4)),
    /asked again with another list of survivors/,
  );
  refuses(
    'refuses a list that leaves too few of its neighbourhood',
    () => new Table(30, { ...sparse, threshold: 0.51 }, 'sparse').share().submit(),
    (table, victim) => {
      const near = table.cohort.neighboursOf('site-000');
      const lost = near.slice(0, near.length - table.cohort.holderThreshold + 2);
      return victim.confirm(table.names.filter((name) => !lost.includes(name)));
    },
    /in this participant's neighbourhood/,
  );
  refuses(
    'refuses to confirm before it has masked',
    shared,
    confirm((names) => [...names]),
    /nothing was masked/,
  );
});

describe('a participant of secure aggregation, told a lie about the confirmations', () => {
  refuses(
    'refuses fewer confirmations than the threshold',
    confirmed,
    (table, victim) => victim.unmask(table.confirmations.slice(0, 3)),
    /confirmations: 3, the threshold is 4/,
  );
  refuses(
    'refuses the same confirmation twice',
    confirmed,
    (table, victim) => victim.unmask([...table.confirmations.slice(0, 3), table.confirmations[2]!]),
    /site-002 comes twice/,
  );
  refuses(
    'refuses a confirmation by a stranger',
    confirmed,
    (table, victim) => victim.unmask([...table.confirmations.slice(0, 3), { ...table.confirmations[3]!, participant: 'stranger' }]),
    /confirmation by stranger, who is not in the cohort/,
  );
  refuses(
    'refuses a confirmation by a member that is dead on the list',
    () => {
      const table = new Table(5);
      return table.share().submit(table.names.slice(0, 4)).confirm();
    },
    (table, victim) => victim.unmask([...table.confirmations, { ...table.confirmations[3]!, participant: 'site-004' }]),
    /site-004, who is not among the survivors/,
  );
  refuses(
    'refuses a confirmation of another list',
    confirmed,
    (table, victim) => {
      const [first, ...others] = table.confirmations.toReversed();
      return victim.unmask([{ ...first!, survivors: table.names.slice(0, 4) }, ...others]);
    },
    /confirmed another list of survivors/,
  );
  refuses(
    'refuses a badly signed confirmation',
    confirmed,
    (table, victim) => {
      const [first, ...others] = table.confirmations.toReversed();
      return victim.unmask([{ ...first!, signature: first!.signature.with(3, first!.signature[3]! ^ 1) }, ...others]);
    },
    /site-004: not signed by its identity for this cohort and list/,
  );
  refuses(
    "refuses one member's signature under another's name",
    confirmed,
    (table, victim) => {
      const [first, second, ...others] = table.confirmations.toReversed();
      return victim.unmask([{ ...first!, signature: second!.signature }, second!, ...others]);
    },
    /site-004: not signed by its identity/,
  );
  refuses(
    'refuses a confirmation of another round',
    confirmed,
    (table, victim) => {
      const { cohort, survivors, confirmations } = table;
      const signed = confirmationTranscript({ federation: table.round.federation, round: 2 }, cohort.digest, 'site-004', survivors);
      return victim.unmask(
        confirmations.with(4, { participant: 'site-004', survivors, signature: sign(table.site(4).identity.privateKey, signed) }),
      );
    },
    /site-004: not signed by its identity/,
  );
  refuses(
    'refuses a confirmation by a member that was shown another cohort',
    confirmed,
    (table, victim) => {
      const { cohort, survivors, confirmations } = table;
      const signed = confirmationTranscript(table.round, cohort.digest.with(0, cohort.digest[0]! ^ 1), 'site-004', survivors);
      return victim.unmask(
        confirmations.with(4, { participant: 'site-004', survivors, signature: sign(table.site(4).identity.privateKey, signed) }),
      );
    },
    /site-004: not signed by its identity for this cohort/,
  );
  refuses(
    'refuses a second unmasking',
    () => confirmed().reveal(),
    (table, victim) => victim.unmask(table.confirmations.slice(0, 4)),
    /unmask: asked a second time/,
  );
  refuses(
    'refuses to unmask a list that it has not confirmed',
    masked,
    (table, victim) => victim.unmask(table.confirmations),
    /no list of survivors was confirmed/,
  );
});

describe('a coordinator that tells each side that another is dead', () => {
  it('gets no list confirmed by the threshold, so nobody reveals a share', () => {
    const table = masked();
    const lists = [table.names.slice(0, 4), table.names.filter((name) => name !== 'site-003')];
    const confirmations = table.names.map((name, place) => {
      // site-003 is dead for some and alive for others; the overlap would give both its secrets away.
      const list = lists.find((candidate, i) => candidate.includes(name) && (place % 2 === i || !lists[1 - i]!.includes(name)))!;
      return table.sites.get(name)!.client.confirm(list);
    });
    for (const list of lists) {
      const signed = confirmations.filter((confirmation) => String(confirmation.survivors) === String(list));
      assert.ok(signed.length < table.cohort.threshold);
      for (const { participant } of signed) {
        const { client } = table.sites.get(participant)!;
        assert.throws(() => client.unmask(signed), { code: 'SECAGG_REFUSED', message: /the threshold is 4/ });
      }
    }
  });

  it('never gets both shares of one owner, nor a share of an owner that is not on its list', () => {
    const table = new Table(6);
    table.share(table.names.slice(0, 5)).submit(table.names.slice(0, 4)).confirm().reveal();
    for (const { maskKeyShares, selfMaskShares } of table.revealed) {
      assert.deepEqual(
        maskKeyShares.map(({ owner }) => owner),
        ['site-004'],
      );
      assert.deepEqual(
        selfMaskShares.map(({ owner }) => owner),
        table.names.slice(0, 4),
      );
    }
  });
});

describe('a vector that is not of the ring', () => {
  it("is the caller's mistake, and ends nothing", () => {
    const table = new Table(5, { bits: 16 }).share();
    const { client, ring } = table.site(0);
    assert.throws(() => client.mask(table.inbox('site-000'), new Uint32Array(3)), {
      code: 'INVALID_SHAPE',
      message: /expected a vector of 4/,
    });
    assert.throws(() => client.mask(table.inbox('site-000'), ring.with(1, 65_536)), { code: 'INVALID_ARGUMENT', message: /below 2\^16/ });
    assert.throws(() => client.advertise(new Uint8Array(31)), { code: 'INVALID_ARGUMENT', message: /context/ });
    assert.equal(client.refusal, undefined);
    assert.equal(client.mask(table.inbox('site-000'), ring).length, 4);
    assert.equal(new CutlayerError('SECAGG_REFUSED', '').retry, 'no');
  });
});
