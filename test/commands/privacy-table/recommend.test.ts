/** Which rows no other one beats, what is recommended for a tolerance, and what the reports say. */
import assert from 'node:assert/strict';
import { defenceClaims } from '../../../clients/typescript/defences/claims.js';
import { paretoRows } from '../../../src/commands/privacy-table/pareto.js';
import { renderPrivacy } from '../../../src/commands/privacy-table/privacy-page.js';
import type { PrivacyReport } from '../../../src/commands/privacy-table/privacy-report.js';
import { leakKinds, type PrivacyRow } from '../../../src/commands/privacy-table/privacy-row.js';
import { privacyLines } from '../../../src/commands/privacy-table/privacy-text.js';
import { recommend } from '../../../src/commands/privacy-table/recommend.js';
import { rowOf } from './privacy-rows.js';

const open = { tokens: 1, entities: 1, labels: 1 };
const none = rowOf('none', 0, open);

function reportOf(rows: readonly PrivacyRow[]): PrivacyReport {
  return {
    ...{ formatVersion: 1, suite: 9, reference: 0, rows, failed: [], records: { own: 2, planted: 1 } },
    pareto: Object.fromEntries(leakKinds.map((kind) => [kind, paretoRows(rows, kind)])) as PrivacyReport['pareto'], // all kinds
    recommendation: recommend(rows),
  };
}

describe('a privacy table', () => {
  it('takes the best attacker of each leak', () => {
    assert.deepEqual([none.leaks.tokens?.attacker, none.leaks.tokens?.value], ['A0', 1]);
    assert.equal(rowOf('none', 0, { tokens: 1 }).leaks.labels, null);
  });

  it('marks rows that no other one beats in task and leak', () => {
    const rows = [
      none,
      rowOf('a', 0.02, { tokens: 0.5 }),
      rowOf('worse than a', 0.03, { tokens: 0.5 }),
      rowOf('b', 0.3, { tokens: 0.1 }),
      rowOf('unknown', 0, { tokens: null }),
      rowOf('as a', 0.02, { tokens: 0.5 }),
    ];
    assert.deepEqual(paretoRows(rows, 'tokens'), [0, 1, 3, 5]);
    assert.deepEqual(paretoRows(rows, 'labels'), [0]);
  });

  it('recommends the row that meets the most goals, and of equals the one that costs least', () => {
    const both = rowOf('both', 0.03, { tokens: 0.3, entities: 0.05, labels: 1 });
    const dearer = rowOf('dearer', 0.029, { tokens: 0.2, entities: 1, labels: 1 });
    const { row, says, goals } = recommend([none, dearer, both]);
    assert.equal(row, 2);
    assert.match(
      says,
      /^k = 0, both, for 3\.0 points\. No setting meets every goal; it meets that for tokens and planted names and numbers\.$/,
    );
    assert.deepEqual(
      goals.map(({ kind, met, row: best }) => [kind, met, best]),
      [
        ['tokens', true, 1],
        ['entities', true, 2],
        ['labels', false, 0],
      ],
    );
    assert.match(
      recommend([none, both], 2).goals[0]!.says,
      /not met; the least within the tolerance is k = 0, none: 100\.0 % \(A0\) for 0\.0 points; the cheapest that leaks as little is k = 0, both: 30\.0 % \(A0\) for 3\.0 points$/,
    );
  });

  it('says plainly that no setting meets a goal, and that an unknown leak is none', () => {
    const { row, says, goals } = recommend([none, rowOf('weak', 0.5, open)]);
    assert.equal(row, null);
    assert.match(says, /^No setting meets a goal within the tolerance\. What a frozen backbone can read, its owner can read/);
    assert.match(goals[0]!.says, /no row leaks as little$/);
    assert.match(recommend([rowOf('none', 0, { tokens: 1 })]).goals[2]!.says, /labels: .*: not known: no attacker could run$/);
    assert.equal(recommend([rowOf('none', 0, {})]).row, null);
  });

  it('prints a guarantee only where there is one, and of each defence its claim and no more', () => {
    const noised = rowOf('row-noise=1', 0.1, open, { defences: [{ name: 'row-noise', settings: { scale: 1 } }] });
    const text = privacyLines(reportOf([none, noised])).join('\n');
    assert.match(text, /formal guarantees: none of these settings has one/);
    assert.ok(text.includes(`row-noise: ${defenceClaims['row-noise']}`));
    assert.doesNotMatch(text, /epsilon \d/);
    assert.ok(!text.includes(defenceClaims.redact), 'the claim of a defence that is not there');
    const formal = rowOf('token-noise=1', 0.1, open, { guarantees: ['token-noise: (token, epsilon 9.100, delta 1e-5)'] });
    const both = [privacyLines(reportOf([none, formal])).join('\n'), renderPrivacy(reportOf([none, formal]))];
    for (const shown of both) assert.match(shown, /k = 0, token-noise=1: token-noise: \(token, epsilon 9\.100, delta 1e-5\)/);
  });

  it('shows a record beside what came back, token by token, as text', () => {
    const shown = [{ planted: false, sent: ['Ask ', '<b>', 'Mara'], guesses: { A0: ['Ask ', '<b>', 'Jonas'] } }];
    const page = renderPrivacy(reportOf([rowOf('none', 0, open, { shown }), rowOf('row-noise=1', 0.1, { tokens: 0.5 })]));
    assert.ok(page.includes('<pre><mark>Ask </mark><mark>&lt;b&gt;</mark>Mara</pre>'), 'what was held');
    assert.ok(page.includes('<pre>Ask &lt;b&gt;<span class="wrong">Jonas</span></pre>'), 'what was read');
    assert.equal(page.match(/<title>k = 0, (?:none|row-noise=1)<\/title>/g)?.length, 2);
    assert.match(page, /default-src 'none'; style-src 'sha256-/);
    assert.doesNotMatch(page, /https?:|<script|<link|src=|style="/);
  });
});
