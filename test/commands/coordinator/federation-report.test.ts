/** What `coordinator status` shows people. */
import assert from 'node:assert/strict';
import { pickFederation } from '../../../src/commands/coordinator/founder-connection.js';
import { reportLines } from '../../../src/commands/coordinator/report-text.js';
import type { FederationReport, VersionReport } from '../../../src/coordinator/coordinator-api.js';

const version = (number: number, change: Partial<VersionReport> = {}): VersionReport => ({
  version: number,
  parent: number === 0 ? null : number - 1,
  round: number === 0 ? null : number * 2,
  status: 'superseded',
  digest: 'aa',
  participants: number === 0 ? 0 : 3,
  current: null,
  earlier: null,
  at: Date.UTC(2026, 4, 1, 12, 30),
  ...change,
});

const NOW = Date.UTC(2026, 4, 1, 13);

const report: FederationReport = {
  federation: 'ab'.repeat(32),
  name: 'ward notes',
  state: 'running',
  reason: '',
  round: {
    round: 5,
    purpose: 'train',
    stage: 'submitting',
    remainingMs: 90_000,
    cohort: ['west', 'north', 'south'],
    answered: ['south'],
    awaited: ['north', 'west'],
    stageMs: 840_000,
  },
  versions: [
    version(0),
    version(1, {
      status: 'promoted',
      current: { loss: 0.51234, accuracy: 0.875, exactMatch: 0.5 },
      earlier: { loss: 0.6, accuracy: 0.5, exactMatch: 0 },
    }),
  ],
  released: 2,
  aborted: 1,
  privacy: { unit: 'client', epsilon: 1.23456, delta: 1e-5, rounds: 1, sampling: 'none', maxEpsilon: 8 },
  bytesIn: 3 * 2 ** 20,
  bytesOut: 512,
  broadcasts: 3,
  chainHead: 'cd'.repeat(32),
  orders: 2,
  recent: [{ round: 4, purpose: 'evaluate', version: null, aborted: 'only 2 of 3 submitted', at: 0, cohort: 3, lost: ['north'] }],
  members: [
    { name: 'north', seenAt: NOW - 720_000 },
    { name: 'south', seenAt: NOW },
    { name: 'west', seenAt: NOW - 60_000 },
  ],
};

describe("a federation's report", () => {
  it('shows the round and who has answered, rounds, privacy with its unit, traffic, and a row per version', () => {
    assert.equal(
      reportLines(report, NOW).join('\n'),
      `ward notes
  federation  ${'ab'.repeat(32)}
  state       running
  round       5 (train): members work and submit, 90 s left
  members     1 of 3 have answered: north, south +, west
  waits for   north 12 min ago, west now; for 14 min; cutlayer coordinator skip north lets the round go on without it
  last seen   north 12 min ago, west now, south now
  rounds      2 released, 1 aborted; round 4: only 2 of 3 submitted
  privacy     (client, epsilon 1.235 of 8, delta 0.00001) after 1 round, sampling none
  traffic     3.1 MB in, 512 B out

  version  from  round  members  status      loss    accuracy  exact  earlier loss  when
  0        -     -      0        superseded  -       -         -      -             2026-05-01 12:30:00
  1        0     2      3        promoted    0.5123  87.5%     50.0%  0.6000        2026-05-01 12:30:00
`,
    );
  });

  it('names awaited members as seen, and gives no advice while each of them calls', () => {
    const round = { ...report.round!, awaited: ['west'], stageMs: 5000 };
    assert.match(reportLines({ ...report, round }, NOW).join('\n'), /waits for {3}west now; for 5 s\n/);
    const members = [{ name: 'west', seenAt: null }];
    assert.match(
      reportLines({ ...report, round, members }, NOW).join('\n'),
      /waits for {3}west never; for 5 s; cutlayer coordinator skip west/,
    );
  });

  it('leaves out what there is not, and shows the newest of many versions and members', () => {
    const versions = Array.from({ length: 25 }, (_, number) => version(number));
    const many = Array.from({ length: 30 }, (_, number) => `m${String(number).padStart(2, '0')}`);
    const text = reportLines(
      {
        ...report,
        state: 'finished',
        reason: '9 rounds were wanted',
        privacy: null,
        recent: [],
        versions,
        round: { ...report.round!, cohort: many, answered: [], remainingMs: 0 },
      },
      NOW,
    ).join('\n');
    assert.match(text, /state {7}finished: 9 rounds were wanted\n/);
    assert.doesNotMatch(text, /privacy|left|; round/);
    assert.match(text, /\.\.\. 5 earlier\n {2}5 /);
    assert.match(text, /0 of 30 have answered: m00, .*m19, and 10 more\n/);
    assert.doesNotMatch(reportLines({ ...report, round: null, versions: [] }, NOW).join('\n'), /members|version|waits/);
  });
});

describe('the federation that a command means', () => {
  const other: FederationReport = { ...report, federation: 'abcd'.repeat(16), name: 'branch mail' };

  it('is the only one, or found by name, by id, or by the beginning of an id', () => {
    assert.equal(pickFederation([report], undefined), report);
    for (const wanted of ['branch mail', other.federation, 'abcd']) assert.equal(pickFederation([report, other], wanted), other);
  });

  const wrong: readonly [string, readonly FederationReport[], string | undefined, RegExp][] = [
    ['there is none', [], 'x', /no federation yet; make one with cutlayer coordinator create/],
    [
      'there are several',
      [report, other],
      undefined,
      /there are several; expected one of abababababab \(ward notes\), abcdabcdabcd \(branch mail\)/,
    ],
    ['none is called so', [report], 'nobody', /there is no nobody; expected one of/],
    ['several have the name', [report, { ...other, name: report.name }], 'ward notes', /ward notes means several/],
    ['the beginning is too short to be meant', [report], 'aba', /there is no aba/],
  ];
  for (const [what, reports, wanted, message] of wrong) {
    it(`is asked for when ${what}`, () => {
      assert.throws(() => pickFederation(reports, wanted), { code: 'NOT_FOUND', message });
    });
  }
});
