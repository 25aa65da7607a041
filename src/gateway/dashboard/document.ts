/** The document of `/admin`: its landmarks, headings and empty panels. It holds no data. */

/**
 * Content-Security-Policy: files of this server alone, no inline script or style, and no text that
 * becomes markup: `require-trusted-types-for` refuses it in the browser itself.
 */
export const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/** Panels: their ids and headings, in their order. */
const panels = {
  load: 'Load',
  throughput: 'Throughput',
  tenants: 'Tenants',
  audit: 'Audit',
  model: 'Model',
  federations: 'Federations',
} as const;

const bodies: Readonly<Record<keyof typeof panels, string>> = {
  load: '<div class="cards" id="load-cards"></div>',
  throughput: `<fieldset class="choice" id="spans"><legend class="hidden">Span of time</legend>
<label><input type="radio" name="span" value="hour" checked> Last hour</label>
<label><input type="radio" name="span" value="day"> Last day</label>
</fieldset>
<div class="charts" id="charts"></div>
<details><summary>The newest points as a table</summary><div class="wide" id="points" role="region" aria-label="Newest points" tabindex="0"></div></details>`,
  tenants: `<form class="bar" id="tenants-form" role="search" aria-label="Tenants">
<label>Name contains <input id="tenants-part" type="search" autocomplete="off" maxlength="64" spellcheck="false"></label>
<p id="tenants-count" role="status"></p>
</form>
<div id="tenants-table"></div>
<div class="buttons"><button id="tenants-first" type="button" hidden>First page</button><button id="tenants-next" type="button" hidden>Next page</button></div>`,
  audit: `<fieldset class="choice" id="kinds"><legend class="hidden">Kind of entries</legend>
<label><input type="radio" name="kind" value="" checked> All</label>
<label><input type="radio" name="kind" value="alarms"> Alarms</label>
<label><input type="radio" name="kind" value="changes"> Changes</label>
<label><input type="radio" name="kind" value="calls"> Calls</label>
</fieldset>
<div class="scroll" id="audit-table" role="region" aria-label="Entries" tabindex="0"></div>
<p class="note" id="audit-note"></p>`,
  model: '<div id="model-card"></div>',
  federations: '<div id="federations-list"></div>',
};

const section = (id: keyof typeof panels): string =>
  `<section id="${id}" aria-labelledby="${id}-title" tabindex="-1">
<h2 id="${id}-title">${panels[id]}</h2>
<p class="failure" id="${id}-failure" role="status" hidden></p>
${bodies[id]}
</section>`;

const ids = Object.keys(panels) as (keyof typeof panels)[];

/** The document. */
export const DOCUMENT = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Cutlayer gateway</title>
<link rel="icon" href="/admin/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/admin/assets/uplot.css">
<link rel="stylesheet" href="/admin/assets/style.css">
<script type="module" src="/admin/assets/dashboard.js"></script>
</head>
<body>
<noscript><p class="lone">This page needs JavaScript, which it loads from this gateway alone.</p></noscript>
<div id="sign-in" hidden>
<main class="lone" aria-labelledby="sign-in-title">
<h1 id="sign-in-title"><img src="/admin/assets/icon.svg" alt="" width="28" height="28"> Cutlayer gateway</h1>
<form id="sign-in-form" autocomplete="off">
<fieldset class="choice"><legend>Sign in with</legend>
<label><input type="radio" name="means" value="token" checked> an access token</label>
<label><input type="radio" name="means" value="client"> a client and its secret</label>
</fieldset>
<div id="by-token"><label for="token">Access token, scope admin</label>
<textarea id="token" rows="4" autocomplete="off" autocapitalize="off" spellcheck="false" aria-describedby="token-help"></textarea>
<p class="note" id="token-help">Such as <code>cutlayer gateway token --tenant operator --scope admin</code> prints. The page does not keep it.</p></div>
<div id="by-client" hidden><label for="client">Client id</label>
<input id="client" autocomplete="username" autocapitalize="off" spellcheck="false">
<label for="secret">Client secret</label>
<input id="secret" type="password" autocomplete="current-password">
<p class="note">Of a client with the scope admin: <code>cutlayer gateway client</code> registers one.</p></div>
<p class="failure" id="sign-in-failure" role="alert"></p>
<button class="main" id="sign-in-button" type="submit">Sign in</button>
</form>
</main>
</div>
<div id="dashboard" hidden>
<a class="skip" href="#content">Skip to the content</a>
<header>
<div class="top">
<h1><img src="/admin/assets/icon.svg" alt="" width="24" height="24"> <span id="title">Cutlayer gateway</span></h1>
<p id="state" role="status"></p>
<p id="who"></p>
<button id="sign-out" type="button">Sign out</button>
</div>
<nav aria-label="Panels"><ul>${ids.map((id) => `<li><a href="#${id}">${panels[id]}</a></li>`).join('')}</ul></nav>
</header>
<main id="content" tabindex="-1">
<p class="failure banner" id="offline" role="alert" hidden></p>
${ids.map(section).join('\n')}
</main>
<footer><p id="read-at"></p></footer>
</div>
<dialog id="confirm" aria-labelledby="confirm-title" aria-describedby="confirm-text">
<h2 id="confirm-title"></h2>
<p id="confirm-text"></p>
<p class="failure" id="confirm-failure" role="alert"></p>
<div class="buttons"><button id="confirm-no" type="button">Cancel</button><button class="main" id="confirm-yes" type="button"></button></div>
</dialog>
</body>
</html>
`;
