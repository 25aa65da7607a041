/** Renders a demo run as one self-contained HTML page: no script, no font, no request to anywhere. */
import type { CurvePoint, DemoSummary, Holding, Sample } from './summary.js';

const WIDTH = 760;
const HEIGHT = 260;
const MARGIN = { left: 52, right: 16, top: 14, bottom: 34 } as const;

/** The page's HTML. */
export function renderReport(summary: DemoSummary): string {
  const gain = `${percent(summary.before.accuracy)} → ${percent(summary.after.accuracy)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Cutlayer demo: ${escapeHtml(summary.model)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Training a ${escapeHtml(summary.adapter)} through the gateway</h1>
<p>The vendor's process held the backbone of <b>${escapeHtml(summary.model)}</b>; the client's process held tokenizer, embedding, head, text, labels and the
${count(summary.parameters.trained)} trained values. Only activations and their gradients crossed, over gRPC with TLS.</p>
<section class="cards">
${card('Exact answers on the test split', gain, summary.chance === null ? '' : `chance ${percent(summary.chance)}`)}
${card('Test loss per label token', `${summary.before.loss.toFixed(3)} → ${summary.after.loss.toFixed(3)}`, 'nats')}
${card('Training', `${summary.steps} steps`, `${summary.seconds.toFixed(1)} s, ${Math.round(summary.tokensPerSecond)} tokens/s`)}
${card('On the wire', `${kibibytes(summary.bytesPerStep)} a step`, `formula ${kibibytes(summary.bytesPerStepFormula)}`)}
</section>
<h2>Loss</h2>
${renderCurve(summary.curve)}
<h2>Who holds what</h2>
${renderHoldings(summary.holdings)}
<h2>Samples of the test split</h2>
${summary.samples.map(renderSample).join('\n')}
<footer>What a vendor could infer from activations is a separate question: text, labels and adapter are never sent, stored or logged, but at this cut an activation row
is a function of one token, so the vendor that made the weights could look tokens up. See the documentation on privacy.</footer>
</main>
</body>
</html>
`;
}

function renderCurve(curve: readonly CurvePoint[]): string {
  if (curve.length < 2) return '<p>Too few steps for a curve.</p>';
  const last = curve.at(-1)!.step;
  const first = curve[0]!.step;
  const losses = curve.flatMap((point) => (point.validationLoss === undefined ? [point.loss] : [point.loss, point.validationLoss]));
  const top = Math.max(...losses) * 1.05;
  const x = (step: number): number => MARGIN.left + ((step - first) / Math.max(1, last - first)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (loss: number): number => MARGIN.top + (1 - loss / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const path = (points: readonly (readonly [number, number])[]): string =>
    points.map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${px.toFixed(1)} ${py.toFixed(1)}`).join('');
  const ticks = Array.from({ length: 5 }, (_, index) => (top * index) / 4);
  const steps = Array.from({ length: 6 }, (_, index) => Math.round(first + ((last - first) * index) / 5));
  const validation = curve.filter((point) => point.validationLoss !== undefined);
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="training and validation loss by step">
${ticks.map((tick) => `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/><text x="${MARGIN.left - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${tick.toFixed(2)}</text>`).join('')}
${steps.map((step) => `<text x="${x(step).toFixed(1)}" y="${HEIGHT - 12}" text-anchor="middle">${step}</text>`).join('')}
<path class="train" d="${path(curve.map((point) => [x(point.step), y(point.loss)]))}"/>
<path class="validation" d="${path(validation.map((point) => [x(point.step), y(point.validationLoss!)]))}"/>
${validation.map((point) => `<circle class="validation" cx="${x(point.step).toFixed(1)}" cy="${y(point.validationLoss!).toFixed(1)}" r="3"/>`).join('')}
</svg>
<p class="legend"><span class="train"></span> training loss <span class="validation"></span> validation loss</p>`;
}

function renderHoldings(holdings: readonly Holding[]): string {
  const rows = holdings.map(
    (holding) =>
      `<tr><td>${escapeHtml(holding.party)}</td><td class="number">${count(holding.parameters)}</td><td>${holding.files
        .map((file) => `${escapeHtml(file.path)} <small>${kibibytes(file.bytes)}</small>`)
        .join('<br>')}</td></tr>`,
  );
  return `<table><thead><tr><th>Party</th><th class="number">Parameters</th><th>Files</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function renderSample(sample: Sample): string {
  return `<table class="sample"><tbody>
<tr><th>Prompt</th><td><pre>${escapeHtml(sample.prompt)}</pre></td></tr>
<tr><th>Expected</th><td><pre>${escapeHtml(sample.expected)}</pre></td></tr>
<tr><th>Before</th><td><pre>${escapeHtml(sample.before)}</pre></td></tr>
<tr><th>After</th><td><pre>${escapeHtml(sample.after)}</pre></td></tr>
</tbody></table>`;
}

function card(title: string, value: string, note: string): string {
  return `<div class="card"><h3>${title}</h3><b>${value}</b><small>${note}</small></div>`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function kibibytes(bytes: number): string {
  return `${(bytes / 1024).toLocaleString('en-US', { maximumFractionDigits: 1 })} KiB`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6573; --line: #d9dee6; --paper: #ffffff; --card: #f5f7fa; --train: #2563eb; --validation: #d97706; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf2; --soft: #9aa5b5; --line: #323b49; --paper: #12161d; --card: #1b212b; --train: #6ea0ff; --validation: #f5b04c; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; }
main { max-width: 800px; margin: 0 auto; padding: 32px 20px 48px; }
h1 { font-size: 26px; line-height: 1.25; } h2 { font-size: 18px; margin-top: 36px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(175px, 1fr)); gap: 12px; }
.card { background: var(--card); border-radius: 10px; padding: 14px 16px; display: flex; flex-direction: column; gap: 4px; }
.card h3 { font-size: 12px; font-weight: 500; color: var(--soft); margin: 0; } .card b { font-size: 19px; } small { color: var(--soft); }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--soft); } .grid { stroke: var(--line); }
path { fill: none; stroke-width: 2; } path.train { stroke: var(--train); } path.validation { stroke: var(--validation); } circle.validation { fill: var(--validation); }
.legend span { display: inline-block; width: 18px; height: 3px; vertical-align: middle; margin: 0 4px 0 12px; } .legend .train { background: var(--train); } .legend .validation { background: var(--validation); }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: 8px 10px; border-bottom: 1px solid var(--line); } .number { text-align: right; font-variant-numeric: tabular-nums; }
.sample { margin-bottom: 20px; } .sample th { width: 90px; color: var(--soft); font-weight: 500; } pre { margin: 0; white-space: pre-wrap; font: 13px/1.45 ui-monospace, monospace; }
footer { margin-top: 40px; color: var(--soft); font-size: 13px; }
`;
