/** Renders a demo run as one HTML page. */
import { exposure, exposureAt } from '../src/artifacts/exposure.js';
import { renderChart } from '../src/commands/report/chart.js';
import { byteText } from '../src/files/byte-text.js';
import { card, count, escapeHtml, percent, renderPage, renderTable } from '../src/server/html/page.js';
import { changedWords } from './changed-words.js';
import { holdingLines } from './holding-text.js';
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
${card('On the wire', `${byteText(summary.bytesPerStep)} a step`, `formula ${byteText(summary.bytesPerStepFormula)}`)}
</section>
<h2>Samples of the test split</h2>
${summary.samples.map(renderSample).join('\n')}
<h2>Served on the client's machine</h2>
${renderServed(summary)}
<h2>What each party holds, and what crosses</h2>
${renderSplit(summary)}
<h2>Loss</h2>
${renderCurve(summary.curve)}
<footer>${escapeHtml(`${exposure} ${exposureAt(0)} See the documentation on privacy.`)}</footer>`;
  return renderPage({ title: `Cutlayer demo: ${summary.model}`, body });
}

function renderServed({ serving: { request, answer, tokensPerSecond } }: DemoSummary): string {
  return `<p><code>cutlayer client serve</code> answered OpenAI's own client at ${tokensPerSecond.toFixed(1)} tokens/s.</p>
<table class="sample"><tbody>
<tr><th>Prompt</th><td><pre>${escapeHtml(request.prompt)}</pre></td></tr>
<tr><th>Answer</th><td><pre>${escapeHtml(answer)}</pre></td></tr>
</tbody></table>`;
}

function renderCurve(curve: readonly CurvePoint[]): string {
  const validation = curve.flatMap(({ step, validationLoss }) => (validationLoss === undefined ? [] : [[step, validationLoss] as const]));
  return renderChart(
    [
      { name: 'training loss', points: curve.map(({ step, loss }) => [step, loss] as const) },
      { name: 'validation loss', points: validation, dots: true },
    ],
    { label: 'training and validation loss by step, logarithmic', logarithmic: true, whole: true },
  );
}

/** Client, wire and vendor side by side. */
function renderSplit({ holdings, bytesPerStep, bytesPerStepFormula }: DemoSummary): string {
  const side = (party: string): string => {
    const held = holdings.find((holding) => holding.party === party);
    return held === undefined
      ? ''
      : `<div class="side"><h3>The ${party}</h3>${count(held.parameters)} parameters${renderFiles(held)}</div>`;
  };
  return `<div class="split">${side('client')}
<div class="wire"><span>hidden states and the soft prompt →</span><b>${byteText(bytesPerStep)} a step</b><span>← their gradients</span><small>formula ${byteText(bytesPerStepFormula)}</small></div>
${side('vendor')}</div>`;
}

/** A table of parties: parameters and files, folded. */
export function renderHoldings(holdings: readonly Holding[]): string {
  const rows = holdings.map((holding) => [escapeHtml(holding.party), count(holding.parameters), renderFiles(holding)]);
  return renderTable([{ title: 'Party' }, { title: 'Parameters', number: true }, { title: 'Files' }], rows);
}

function renderFiles(holding: Holding): string {
  const items = holding.files.map(({ path, bytes }) => `<li>${escapeHtml(path)} <small>${byteText(bytes)}</small></li>`);
  return `<details><summary>${holdingLines(holding).map(escapeHtml).join('<br>')}</summary><ul>${items.join('')}</ul></details>`;
}

function renderSample(sample: Sample): string {
  return `<table class="sample"><tbody>
<tr><th>Prompt</th><td><pre>${escapeHtml(sample.prompt)}</pre></td></tr>
<tr><th>Expected</th><td><pre>${escapeHtml(sample.expected)}</pre></td></tr>
<tr><th>Before</th><td><pre>${escapeHtml(sample.before)}</pre></td></tr>
<tr><th>After</th><td><pre>${marked(sample)}</pre></td></tr>
</tbody></table>`;
}

/** The answer after training, with the words that it has not in common with the one before. */
function marked({ before, after }: Sample): string {
  return changedWords(before, after)
    .map(({ text, changed }) => (changed ? escapeHtml(text).replace(/\S+/, '<mark>$&</mark>') : escapeHtml(text)))
    .join('');
}
