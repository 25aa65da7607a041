/**
 * The playground: one page without a request to another host, under a policy that names its parts.
 */
import { createHash } from 'node:crypto';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';

const digest = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Content-Security-Policy: its own script, style and empty icon, and requests to this endpoint. */
export const PLAYGROUND_POLICY =
  `default-src 'none'; script-src ${digest(SCRIPT)}; style-src ${digest(STYLE)}; connect-src 'self'; img-src data:; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** @param note What crosses, in the words of every text of the project. */
export function playgroundPage(note: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Cutlayer playground</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Cutlayer playground</h1>
<div class="bar">
<label>Model <select id="model"></select></label>
<label>Form <select id="mode"><option value="chat">chat</option><option value="text">plain text</option></select></label>
<label class="key">API key <input id="key" type="password" autocomplete="off" placeholder="the text of the key file"></label>
</div>
<div id="log" role="log" aria-live="polite" aria-label="Conversation"></div>
<form id="form">
<label>Message <textarea id="prompt" rows="3"></textarea></label>
<div class="buttons">
<button class="main" id="send" type="submit">Send</button>
<button id="stop" type="button" disabled>Stop</button>
<button id="clear" type="button">Clear</button>
<span id="figures" role="status"></span>
</div>
</form>
<details>
<summary>Sampling</summary>
<div class="grid">
<label>Temperature <input id="temperature" type="number" min="0" max="2" step="0.1" value="0"></label>
<label>Top p <input id="top_p" type="number" min="0.01" max="1" step="0.01" placeholder="the model's"></label>
<label>Longest answer <input id="max_tokens" type="number" min="1" step="1" value="128"></label>
<label>Seed <input id="seed" type="number" min="0" step="1" placeholder="new each time"></label>
<label class="wide">System message <input id="system"></label>
</div>
</details>
<details id="crossing" open>
<summary>What left this machine</summary>
<table>
<tr><th scope="row">Sent for the last answer</th><td id="sent">nothing yet</td></tr>
<tr><th scope="row">Received</th><td id="received">nothing yet</td></tr>
<tr><th scope="row">Tokens</th><td id="tokens">none yet</td></tr>
</table>
<p>${escapeHtml(note)}</p>
<p>Bytes count all requests that ran at the same time.</p>
</details>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
