/** A simulation as one HTML page. */
import { byteText } from '../../files/byte-text.js';
import { card, count, escapeHtml, percent, renderPage, renderTable } from '../../server/html/page.js';
import { renderChart } from '../report/chart.js';
import type { AbortedRound, SimulationPoint, SimulationSummary } from './simulation-summary.js';

export function renderSimulation(summary: SimulationSummary): string {
  const { points, participants, settings, split, dropout, released, aborted, seconds } = summary;
  const last = points.findLast(({ test }) => test !== null)?.test;
  const privacy = points.at(-1)?.privacy ?? null;
  const series = (name: string, of: (point: SimulationPoint) => number | undefined, dots = true) => ({
    name,
    dots,
    points: points.flatMap((point) => {
      const value = of(point);
      return value === undefined ? [] : [[point.version, value] as const];
    }),
  });
  const title = `Simulation: ${participants.length} participants, ${split}`;
  const body = `<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(settings.adapter.method)}, ${escapeHtml(settings.strategy.kind)}, ${settings.secureAggregation === null ? 'without' : 'with'} secure aggregation; seed ${summary.seed}. Gateway, coordinator and
participants were the real ones in one process; time and loss were simulated.</p>
<section class="cards">
${card('Exact answers, common test', last === undefined || last === null ? 'unknown' : percent(last.exactMatch), `${summary.testExamples} examples`)}
${card('Rounds', `${released} released`, `${aborted} aborted, ${seconds.toFixed(0)} s`)}
${card('Lost in a round', percent(dropout), 'chance of each participant')}
${privacy === null ? '' : card('Privacy spent', `epsilon ${privacy.epsilon.toFixed(2)}`, `unit ${privacy.unit}, delta ${privacy.delta}, ${privacy.rounds} rounds, sampling ${escapeHtml(privacy.sampling)}`)}
</section>
<h2>Loss by version</h2>
${renderChart(
  [series('common test', ({ test }) => test?.loss), series('held out by the cohort', ({ heldOut }) => heldOut?.loss)].filter(
    ({ points: [first] }) => first !== undefined,
  ),
  { label: 'loss by version', logarithmic: true, whole: true },
)}
<h2>Accuracy by version</h2>
${renderChart([series('exact answers', ({ test }) => test?.exactMatch), series('tokens', ({ test }) => test?.accuracy)], { label: 'accuracy by version', top: 1, whole: true, format: (y) => `${Math.round(100 * y)} %` })}
<h2>Versions</h2>
${renderTable(
  [
    { title: 'Version', number: true },
    { title: 'Round', number: true },
    { title: 'In the sum', number: true },
    { title: 'Lost', number: true },
    { title: 'To coordinator', number: true },
    { title: 'From it', number: true },
    { title: 'To gateway', number: true },
    { title: 'Memory', number: true },
  ],
  points.map((point) => [
    `${point.version}${point.promoted ? '' : ' (rejected)'}`,
    String(point.round),
    String(point.participants),
    String(point.vanished),
    byteText(point.coordinator.up),
    byteText(point.coordinator.down),
    byteText(point.gateway.up),
    byteText(point.rssBytes),
  ]),
)}
${summary.abortedRounds.length === 0 ? '' : renderAborted(summary.abortedRounds)}
<h2>Participants</h2>
${renderTable(
  [
    { title: 'Name' },
    { title: 'Training', number: true },
    { title: 'Held out', number: true },
    { title: 'Up', number: true },
    { title: 'Down', number: true },
    { title: 'Labels' },
  ],
  participants.map(({ name, training, heldOut, up, down, labels }) => [
    escapeHtml(name),
    count(training),
    count(heldOut),
    byteText(up),
    byteText(down),
    Object.entries(labels)
      .filter(([label]) => label !== '')
      .sort(([, a], [, b]) => b - a)
      .slice(0, 6)
      .map(([label, records]) => `${escapeHtml(label.trim().slice(0, 40))} <small>${records}</small>`)
      .join(', '),
  ]),
)}
<footer>Keys, masks and noise of a simulation come from its seed: it shows what a federation would learn and send, and protects nothing.</footer>`;
  return renderPage({ title, body });
}

function renderAborted(rounds: readonly AbortedRound[]): string {
  const rows = rounds.map(({ round, purpose, reason }) => [String(round), purpose, escapeHtml(reason)]);
  return `<h2>Aborted rounds</h2>\n${renderTable([{ title: 'Round', number: true }, { title: 'Purpose' }, { title: 'Reason' }], rows)}`;
}
