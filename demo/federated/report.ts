/** Renders a run of the federated demo as one HTML page. */
import { exposure, exposureAt } from '../../src/artifacts/exposure.js';
import { renderChart } from '../../src/commands/report/chart.js';
import { byteText } from '../../src/files/byte-text.js';
import { card, escapeHtml, percent, renderPage, renderTable } from '../../src/server/html/page.js';
import { renderHoldings } from '../report.js';
import { siteNames } from './settings.js';
import type { FederatedSummary } from './summary.js';

export function renderFederated(summary: FederatedSummary): string {
  const { local, federated, pooled, rows, settings, search, lost } = summary;
  const best = Math.max(...siteNames.map((site) => local[site].common));
  const body = `<h1>Four sites train one soft prompt, and the coordinator sees only the sum of their updates</h1>
<p>A gateway with the backbone of <b>${escapeHtml(summary.model)}</b>, a coordinator and four sites, each a process of its own, over TLS. Each site has one kind of work of the same house: north and
south tag notes, river answers them, mill sums them up. ${settings.rounds} rounds of ${settings.steps} steps of ${settings.batch} at each site, averaged under secure aggregation; alone and pooled trained as many steps.</p>
<section class="cards">
${card('Federated, common test', percent(federated.common), `${rows.test} notes; before training ${percent(summary.before)}`)}
${card('Best site alone', percent(best), siteNames.map((site) => `${site} ${percent(local[site].common)}`).join(', '))}
${card('Pooled', percent(pooled.common), 'all rows at one place, for comparison')}
${card('Lost and found', `${escapeHtml(lost.site)}, round ${lost.round}`, lost.back === null ? 'killed; did not come back' : `killed after sharing keys; back in round ${lost.back}`)}
</section>
<h2>Exact answers on the common test</h2>
${renderChart(
  Object.entries(summary.curves).map(([name, points]) => ({
    name,
    points: [[0, summary.before] as const, ...points.map(({ round, exactMatch }) => [round, exactMatch] as const)],
    dots: name === 'federated',
  })),
  { label: 'exact answers by round', top: 1, whole: true, format: (y) => `${Math.round(100 * y)} %` },
)}
<h2>Every site</h2>
${renderTable(
  [
    { title: 'Site' },
    ...['alone, common', 'federated, common', 'alone, own notes', 'federated, own notes', 'pooled, own notes'].map((title) => ({
      title,
      number: true,
    })),
  ],
  siteNames.map((site) => [
    site,
    ...[local[site].common, federated.common, local[site].own[site], federated.own[site], pooled.own[site]].map(percent),
  ]),
)}
<h2>Rounds</h2>
${renderRounds(summary)}
<p>${byteText(summary.bytes.toCoordinator)} went to the coordinator in rounds, ${byteText(summary.bytes.fromCoordinator)} came back.</p>
<h2>What the coordinator has stored</h2>
<p>${search.updates} updates were looked for as float32 and in fixed point, any four numbers in a row, at every byte of ${byteText(search.bytes)}: all files of the coordinator, the database's
write-ahead log among them, at ${search.snapshots} moments. ${search.matches.length === 0 ? '<b>None of them is there.</b>' : `<b>Found: ${escapeHtml(search.matches.join('; '))}</b>`}
Planted in a copy they are ${search.control ? 'found' : '<b>not found</b>'}; their mean is the step from version to version to ${search.meanError.toExponential(1)}, so they are the real ones.</p>
<h2>What each party holds</h2>
${renderHoldings(summary.holdings)}
<footer>${escapeHtml(`${exposure} ${exposureAt(0)}`)} Secure aggregation hides an update from the coordinator and from other sites. The vendor, through whose gateway each site trains, sees activations and gradients of that training. See the
documentation on federation and on privacy.</footer>`;
  return renderPage({ title: `Cutlayer federated demo: ${summary.model}`, body });
}

/** Rounds across, members down: who is in each sum, the lost one in red. */
function renderRounds({ rounds, lost }: FederatedSummary): string {
  const cell = (site: string, round: FederatedSummary['rounds'][number]): string => {
    if (round.participants.includes(site)) return '<td title="in the sum">✓</td>';
    return `<td class="lost" title="${site === lost.site && round.round === lost.round ? 'lost' : 'not in the sum'}">✗</td>`;
  };
  const rows = siteNames.map((site) => `<tr><th>${escapeHtml(site)}</th>${rounds.map((round) => cell(site, round)).join('')}</tr>`);
  const head = rounds.map(({ round }) => `<th>${round}</th>`).join('');
  return `<div class="wide"><table class="matrix"><thead><tr><th>Round</th>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`;
}
