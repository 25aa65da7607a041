/** One self-contained HTML page with the project's look: no script, no font, no request. */
import { createHash } from 'node:crypto';

/** @param page.body HTML */
export function renderPage({ title, body }: { readonly title: string; readonly body: string }): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '${styleDigest()}'; base-uri 'none'; form-action 'none'">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

/** The only style that a page's own policy admits. */
function styleDigest(): string {
  return `sha256-${createHash('sha256').update(STYLE).digest('base64')}`;
}

/** A figure to read at a glance. Its texts are HTML. */
export function card(title: string, value: string, note: string): string {
  return `<div class="card"><h3>${title}</h3><b>${value}</b><small>${note}</small></div>`;
}

export interface Column {
  readonly title: string;
  /** Aligned to the right, in figures of one width. */
  readonly number?: boolean;
}

/** A table of cells that are HTML. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const side = (at: number): string => (columns[at]?.number ? ' class="number"' : '');
  const head = columns.map(({ title }, at) => `<th${side(at)}>${escapeHtml(title)}</th>`).join('');
  const body = rows.map((row) => `<tr>${row.map((cell, at) => `<td${side(at)}>${cell}</td>`).join('')}</tr>`).join('\n');
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

/** A share of 1 as a percentage; a share of nothing is none. */
export function percent(share: number): string {
  return Number.isNaN(share) ? 'none' : `${(share * 100).toFixed(1)} %`;
}

/** A whole number with separators. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Text as HTML, in attributes too. */
export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** The style of every page; a server names its digest in a policy. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6573; --line: #d9dee6; --paper: #ffffff; --card: #f5f7fa; --mark: #fde68a; --s0: #2563eb; --s1: #d97706; --s2: #059669; --s3: #c026d3; --s4: #dc2626; --s5: #64748b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf2; --soft: #9aa5b5; --line: #323b49; --paper: #12161d; --card: #1b212b; --mark: #6b5310; --s0: #6ea0ff; --s1: #f5b04c; --s2: #34d399; --s3: #e879f9; --s4: #f87171; --s5: #94a3b8; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; }
main { max-width: 800px; margin: 0 auto; padding: 32px 20px 48px; }
p, h1, h2 { overflow-wrap: anywhere; }
h1 { font-size: 26px; line-height: 1.25; } h2 { font-size: 18px; margin-top: 36px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(175px, 1fr)); gap: 12px; }
.card { background: var(--card); border-radius: 10px; padding: 14px 16px; display: flex; flex-direction: column; gap: 4px; }
.card h3 { font-size: 12px; font-weight: 500; color: var(--soft); margin: 0; } .card b { font-size: 19px; } small { color: var(--soft); }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--soft); } .grid { stroke: var(--line); }
path { fill: none; stroke-width: 2; } .s0 { --series: var(--s0); } .s1 { --series: var(--s1); } .s2 { --series: var(--s2); } .s3 { --series: var(--s3); } .s4 { --series: var(--s4); } .s5 { --series: var(--s5); }
path.series { stroke: var(--series); } circle { fill: var(--series); }
.legend span { display: inline-block; width: 18px; height: 3px; vertical-align: middle; margin: 0 4px 0 12px; background: var(--series); }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: 8px 10px; border-bottom: 1px solid var(--line); } .number { text-align: right; font-variant-numeric: tabular-nums; }
.sample { margin-bottom: 20px; } .sample th { width: 90px; color: var(--soft); font-weight: 500; } pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.45 ui-monospace, monospace; }
mark { background: var(--mark); color: inherit; border-radius: 3px; } .wrong { color: var(--s4); } .figure { white-space: nowrap; } .lost { background: var(--s4); color: var(--paper); } .wide { overflow-x: auto; }
.split { display: grid; grid-template-columns: 1fr auto 1fr; gap: 12px; align-items: stretch; } .side { border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; } .side h3 { margin: 0 0 4px; font-size: 15px; }
.wire { display: flex; flex-direction: column; justify-content: center; text-align: center; color: var(--soft); font-size: 13px; } summary { cursor: pointer; color: var(--soft); } details li { overflow-wrap: anywhere; } details ul { padding-left: 18px; font-size: 13px; }
.matrix td, .matrix th { text-align: center; padding: 2px; font-size: 12px; } .matrix th:first-child { text-align: left; padding-right: 8px; } .matrix td { border: 1px solid var(--paper); background: var(--card); } .matrix td.lost { background: var(--s4); }
@media (max-width: 520px) { main { padding: 20px 12px 32px; } .split { grid-template-columns: 1fr; } th, td { padding: 6px 3px; font-size: 13px; } th { font-size: 11px; } .sample th { width: 58px; } svg text { font-size: 20px; } .matrix th, .matrix td { padding: 1px; font-size: 10px; } }
footer { margin-top: 40px; color: var(--soft); font-size: 13px; }
`;
