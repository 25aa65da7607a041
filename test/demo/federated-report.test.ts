import assert from 'node:assert/strict';
import { federatedLines } from '../../demo/federated/print.js';
import { renderFederated } from '../../demo/federated/report.js';
import type { FederatedSummary, Score } from '../../demo/federated/summary.js';

const score = (common: number): Score => ({ common, own: { north: 0.9, south: 0.8, river: 0.7, mill: 0.6 } });
const summary: FederatedSummary = {
  settings: { virtualTokens: 16, rounds: 3, steps: 8, batch: 8, lr: 0.01, lost: 'mill' },
  federation: 'f'.repeat(64),
  model: 'a <model>',
  seconds: 61.2,
  rows: { train: 60, ownTest: 40, test: 210 },
  before: 0.01,
  local: { north: score(0.41), south: score(0.32), river: score(0.64), mill: score(0.5) },
  federated: score(0.97),
  pooled: score(0.98),
  curves: {
    federated: [
      { round: 1, exactMatch: 0.5 },
      { round: 3, exactMatch: 0.97 },
    ],
    pooled: [{ round: 3, exactMatch: 0.98 }],
  },
  rounds: [
    { round: 1, version: 1, participants: ['mill', 'north', 'river', 'south'] },
    { round: 2, version: 2, participants: ['north', 'river', 'south'] },
  ],
  aborted: 0,
  lost: { site: 'mill', round: 2, back: 3 },
  bytes: { toCoordinator: 70_000, fromCoordinator: 80_000 },
  search: { updates: 7, windows: 21_000, files: 20, bytes: 1_000_000, snapshots: 3, matches: [], control: true, meanError: 1e-8 },
  holdings: [{ party: 'coordinator', parameters: 0, files: [{ path: 'coordinator/coordinator.db', bytes: 4096 }] }],
};

describe('result of the federated demo', () => {
  it('sets each site alone beside federated and pooled, on the common test and on its own', () => {
    const lines = federatedLines(summary);
    assert.ok(
      lines.some((line) => /^common test, river +64\.0 % +97\.0 % +98\.0 %$/.test(line)),
      lines.join('\n'),
    );
    assert.ok(lines.some((line) => /^own test \(40 notes\), mill +60\.0 % +60\.0 % +60\.0 %$/.test(line)));
    assert.ok(lines.some((line) => line.includes('killed in round 2')) && lines.some((line) => line.includes('came back in round 3')));
  });

  it('says that an update was found, or that the search is blind, where that is so', () => {
    const text = (search: Partial<FederatedSummary['search']>): string =>
      federatedLines({ ...summary, search: { ...summary.search, ...search } }).join('\n');
    assert.match(text({}), /none of them is there; planted in a copy, they are found/);
    assert.match(text({ matches: ['river, at byte 7'] }), /FOUND: river, at byte 7/);
    assert.match(text({ control: false }), /they are NOT FOUND/);
  });

  it('makes a page with every curve, in which names are text', () => {
    const page = renderFederated(summary);
    assert.equal(page.match(/<path class="series"/g)?.length, 2);
    assert.match(page, /a &lt;model&gt;/);
    assert.match(page, /None of them is there/);
  });
});
