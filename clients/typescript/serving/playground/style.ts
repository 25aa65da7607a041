/** The playground's style: light and dark, from 390 pixels on. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6573; --line: #d9dee6; --paper: #ffffff; --card: #f5f7fa; --accent: #2563eb; --on-accent: #ffffff; --bad: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf2; --soft: #9aa5b5; --line: #323b49; --paper: #12161d; --card: #1b212b; --accent: #6ea0ff; --on-accent: #0b1220; --bad: #f87171; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 860px; min-height: 100vh; margin: 0 auto; padding: 20px; display: flex; flex-direction: column; gap: 14px; }
h1 { font-size: 20px; margin: 0; }
.bar, .grid { display: grid; gap: 10px; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); align-items: end; }
label { display: flex; flex-direction: column; gap: 3px; font-size: 13px; color: var(--soft); }
label.wide { grid-column: 1 / -1; }
input, select, textarea, button { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px 10px; min-width: 0; width: 100%; }
input, select { height: 38px; } textarea { resize: vertical; min-height: 70px; } form { display: grid; gap: 10px; }
button { width: auto; cursor: pointer; padding: 8px 18px; }
button.main { background: var(--accent); color: var(--on-accent); border-color: var(--accent); font-weight: 600; }
button:disabled { opacity: 0.5; cursor: default; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
#log { flex: 1; display: flex; flex-direction: column; gap: 10px; min-height: 160px; }
#log:empty::before { content: "Write a message below. Enter sends it, shift and enter begins a line."; color: var(--soft); }
.turn { border-radius: 10px; padding: 10px 14px; white-space: pre-wrap; overflow-wrap: anywhere; }
.turn b { display: block; font-size: 12px; font-weight: 500; color: var(--soft); }
.user { background: var(--card); } .assistant { border: 1px solid var(--line); } .failure { color: var(--bad); border: 1px solid var(--bad); }
.buttons { display: flex; gap: 10px; align-items: center; flex-wrap: wrap; } #figures { color: var(--soft); font-size: 13px; font-variant-numeric: tabular-nums; }
details { border-top: 1px solid var(--line); padding-top: 10px; } summary { cursor: pointer; color: var(--soft); } details > * + * { margin-top: 10px; }
#crossing p { margin: 8px 0 0; font-size: 14px; color: var(--soft); } table { border-collapse: collapse; font-size: 14px; margin-top: 8px; } td, th { text-align: left; font-weight: 400; padding: 3px 18px 3px 0; } td { font-variant-numeric: tabular-nums; }
@media (max-width: 520px) { main { padding: 14px 12px; } .bar { grid-template-columns: 1fr 1fr; } .bar label.key { grid-column: 1 / -1; } }
`;
