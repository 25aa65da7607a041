/** Renders a demo run as one HTML page. */
import { exposure, exposureAt } from '../src/artifacts/exposure.js';
import { renderChart } from '../src/commands/report/chart.js';
import { card, count, escapeHtml, kibibytes, percent, renderPage, renderTable } from '../src/commands/report/page.js';
import type { CurvePoint, DemoSummary, Holding, Sample } from './summary.js';

export function renderReport(summary: DemoSummary): string {
  const gain = `${percent(summary.before.accuracy)} → ${percent(summary.after.accuracy)}`;
  const body = `<h1>Training a ${escapeHtml(summary.adapter)} through the gateway</h1>
<p>The vendor's process held the backbone of <b>${escapeHtml(summary.model)}</b>; the client's process held tokenizer, embedding, head, text, labels and the
${count(summary.parameters.trained)} trained values. Activations, their gradients and the soft prompt's values crossed, over gRPC with TLS.</p>
<section class="cards">
${card('Exact answers on the test split', gain, summary.chance === null ? '' : `chance ${percent(summary.chance)}`)}
${card('Test loss per label token', `${summary.before.loss.toFixed(3)} → ${summary.after.loss.toFixed(3)}`, 'nats')}
${card('Training', `${summary.steps} steps`, `${summary.seconds.toFixed(1)} s, ${Math.round(summary.tokensPerSecond)} tokens/s`)}
${card('On the wire', `${kibibytes(summary.bytesPerStep)} a step`, `formula ${kibibytes(summary.bytesPerStepFormula)}`)}
</section>
<h2>Loss</h2>
${renderCurve(summary.curve)}
<h2>What each party holds</h2>
${renderHoldings(summary.holdings)}
<h2>Samples of the test split</h2>
${summary.samples.map(renderSample).join('\n')}
<footer>${escapeHtml(`${exposure} ${exposureAt(0)} See the documentation on privacy.`)}</footer>`;
  return renderPage({ title: `Cutlayer demo: ${summary.model}`, body });
}

function renderCurve(curve: readonly CurvePoint[]): string {
  const validation = curve.flatMap(({ step, validationLoss }) => (validationLoss === undefined ? [] : [[step, validationLoss] as const]));
  return renderChart(
    [
      { name: 'training loss', points: curve.map(({ step, loss }) => [step, loss] as const) },
      { name: 'validation loss', points: validation, dots: true },
    ],
    { label: 'training and validation loss by step' },
  );
}

/** A table of parties: parameters and files. */
export function renderHoldings(holdings: readonly Holding[]): string {
  const rows = holdings.map(({ party, parameters, files }) => [
    escapeHtml(party),
    count(parameters),
    files.map((file) => `${escapeHtml(file.path)} <small>${kibibytes(file.bytes)}</small>`).join('<br>'),
  ]);
  return renderTable([{ title: 'Party' }, { title: 'Parameters', number: true }, { title: 'Files' }], rows);
}

function renderSample(sample: Sample): string {
  return `<table class="sample"><tbody>
<tr><th>Prompt</th><td><pre>${escapeHtml(sample.prompt)}</pre></td></tr>
<tr><th>Expected</th><td><pre>${escapeHtml(sample.expected)}</pre></td></tr>
<tr><th>Before</th><td><pre>${escapeHtml(sample.before)}</pre></td></tr>
<tr><th>After</th><td><pre>${escapeHtml(sample.after)}</pre></td></tr>
</tbody></table>`;
}
