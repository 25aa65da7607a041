/** The table as one HTML page, with curves and what came back of two records. */

import type { AttackerId } from '../../../clients/typescript/audit/attacker.js';
import type { ShownRecord } from '../../../clients/typescript/audit/audit.js';
import { exposure } from '../../artifacts/exposure.js';
import { byteText } from '../../files/byte-text.js';
import { card, escapeHtml, percent, renderPage, renderTable } from '../../server/html/page.js';
import { renderChart, type Series } from '../report/chart.js';
import type { PrivacyReport } from './privacy-report.js';
import { type LeakKind, leakKinds, lossPoints, type PrivacyRow, rowName } from './privacy-row.js';
import { claimsOf, guaranteeOf, reading } from './privacy-text.js';
import { leakNames, points } from './recommend.js';

const headings: Readonly<Record<LeakKind, string>> = {
  tokens: 'Tokens recovered',
  entities: 'Planted names and numbers recovered',
  labels: 'Labels recovered',
};

/** A page that asks for nothing. It shows the text of a record. */
export function renderPrivacy(report: PrivacyReport): string {
  const { rows, failed, recommendation, records, suite } = report;
  const title = 'What defences hide, and what they cost';
  const goals = recommendation.goals.map(({ kind, met, row, most, points: tolerance }) => {
    const leak = row === null ? null : rows[row]!.leaks[kind];
    const value = leak === null ? 'not known' : percent(leak.value);
    const note = `${met ? 'met' : 'not met'}: at most ${percent(most)} for at most ${points(tolerance)}`;
    return card(`${headings[kind]}, least for the tolerance`, value, note);
  });
  const body = `<h1>${title}</h1>
<p>Attackers of suite ${suite} on ${records.own} records and ${records.planted} planted ones. ${escapeHtml(reading)}</p>
<section class="cards">
${goals.join('\n')}
</section>
<p><b>Recommended:</b> ${escapeHtml(recommendation.says)}</p>
<ul>${recommendation.goals.map(({ says }) => `<li>${escapeHtml(says)}</li>`).join('\n')}</ul>
${leakKinds.map((kind) => renderLeak(report, kind)).join('\n')}
<h2>Table</h2>
${tableOf(report)}
${failed.map((row) => `<p>${escapeHtml(rowName(row))}: not measured: ${escapeHtml(row.why)}</p>`).join('\n')}
<h2>What comes back</h2>
<p>Left: what the client held, with <mark>the tokens that came back</mark>. Right: what the best attacker read, with <span class="wrong">what it got wrong</span>.</p>
${rows.map((row, index) => renderShown(row, index)).join('\n')}
<h2>Guarantees</h2>
${guaranteesOf(rows)}
${claimsOf(rows)
  .map(([name, claim]) => `<p><b>${escapeHtml(name)}</b>: ${escapeHtml(claim)}</p>`)
  .join('\n')}
<footer>${escapeHtml(exposure)} This page holds the text of a record: keep it as you keep the records.</footer>`;
  return renderPage({ title, body });
}

/** A curve for each cut: through its rows that no other row of that cut beats. */
function renderLeak({ rows }: PrivacyReport, kind: LeakKind): string {
  const known = rows.flatMap((row, index) => {
    const leak = row.leaks[kind];
    return leak === null ? [] : [{ row, index, at: [lossPoints(row), leak.value] as const }];
  });
  const cuts = [...new Set(known.map(({ row }) => cutName(row)))];
  const series = cuts.map((name): Series => {
    const own = known.filter(({ row }) => cutName(row) === name);
    const front = own
      .filter(({ at: [lost, leak] }) => !own.some(({ at: [l, k] }) => l <= lost && k <= leak && (l < lost || k < leak)))
      .map(({ at }) => at)
      .sort(([a], [b]) => a - b);
    const marks = own.map(({ row, index, at }) => ({ at, text: `${index + 1}`, name: rowName(row) }));
    return { name, points: front, marks };
  });
  const label = `${headings[kind]} by the best attacker, by points of the task lost`;
  return `<h2>${headings[kind]}</h2>
<p>Down: less leaks. Left: the task loses fewer points. Numbers are those of the table.</p>
${renderChart(series, { label, top: 1.05, format: (y) => `${Math.round(100 * y)} %` })}`;
}

const cutName = ({ cut: { bottom, top } }: PrivacyRow): string => `k = ${bottom}${top === 0 ? '' : `, m = ${top}`}`;

function tableOf({ rows, pareto, reference }: PrivacyReport): string {
  const columns = [
    { title: '', number: true },
    { title: 'Setting' },
    ...leakKinds.map((kind) => ({ title: leakNames[kind], number: true })),
    ...['Task', 'Points lost', 'Loss', 'A step', 'Time'].map((title) => ({ title, number: true })),
  ];
  return renderTable(
    columns,
    rows.map((row, index) => [
      `${index + 1}`,
      // A long list may go on in another line.
      `${escapeHtml(rowName(row)).replaceAll(',', ',<wbr>')}<br><small>${escapeHtml(row.adapter.method)}, ${row.adapter.virtualTokens} virtual tokens</small>`,
      ...leakKinds.map((kind) => leakCell(row, kind, pareto[kind].includes(index))),
      figure(percent(row.task.exactMatch)),
      index === reference ? 'reference' : figure(`${lossPoints(row).toFixed(1)}<br><small>${intervalOf(row)}</small>`),
      row.task.loss.toFixed(3),
      figure(byteText(row.cost.bytesUpPerStep + row.cost.bytesDownPerStep)),
      figure(`${(1000 * row.cost.secondsPerStep).toFixed(0)} ms`),
    ]),
  );
}

/** What stays on its line. @param html */
const figure = (html: string): string => `<span class="figure">${html}</span>`;

function leakCell({ leaks }: PrivacyRow, kind: LeakKind, isPareto: boolean): string {
  const leak = leaks[kind];
  if (leak === null) return '-';
  const [low, high] = [leak.low, leak.high].map((share) => (100 * share).toFixed(0));
  return figure(`${percent(leak.value)}${isPareto ? ' *' : ''}<br><small>${leak.attacker}, ${low} to ${high} %</small>`);
}

function intervalOf({ difference }: PrivacyRow): string {
  const { low, high } = difference.exactMatch;
  return `${(-100 * high).toFixed(1)} to ${(-100 * low).toFixed(1)}`;
}

function renderShown(row: PrivacyRow, index: number): string {
  const best = row.leaks.tokens;
  if (best === null) return '';
  const parts = row.shown.flatMap((record) => {
    const guess = record.guesses[best.attacker as AttackerId]; // an attacker of this audit
    return guess === undefined ? [] : [sideBySide(record, guess)];
  });
  return `<details${index === 0 ? ' open' : ''}><summary>${index + 1}: ${escapeHtml(rowName(row))}: ${percent(best.value)} of tokens by ${best.attacker}</summary>
${parts.join('\n')}</details>`;
}

function sideBySide({ planted, sent }: ShownRecord, guess: readonly string[]): string {
  const right = (at: number): boolean => sent[at] === guess[at];
  const text = (pieces: readonly string[], tag: (at: number) => readonly [string, string]): string =>
    pieces
      .map((piece, at) => {
        const [open, close] = tag(at);
        return `${open}${escapeHtml(piece)}${close}`;
      })
      .join('');
  const held = text(sent, (at) => (right(at) ? ['<mark>', '</mark>'] : ['', '']));
  const read = text(guess.slice(0, sent.length), (at) => (right(at) ? ['', ''] : ['<span class="wrong">', '</span>']));
  return `<div class="split"><div class="side"><h3>${planted ? 'A planted record' : 'A record'}</h3><pre>${held}</pre></div><div class="wire">→</div><div class="side"><h3>What the vendor reads</h3><pre>${read}</pre></div></div>`;
}

function guaranteesOf(rows: readonly PrivacyRow[]): string {
  const formal = rows.filter(({ guarantees }) => guarantees.length > 0);
  if (formal.length === 0) return '<p>None of these settings has a formal guarantee.</p>';
  return `<ul>${formal.map((row) => `<li>${escapeHtml(`${rowName(row)}: ${guaranteeOf(row)}`)}</li>`).join('\n')}</ul>`;
}
