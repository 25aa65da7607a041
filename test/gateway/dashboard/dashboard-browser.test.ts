/**
 * The page `/admin` in a headless Chromium, over a gateway with real work: what it loads, what its
 * panels show, orders by keyboard alone, names that look like markup, both themes and two widths.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openGatewayDatabase } from '../../../src/gateway/tables/database.js';
import { generateIdentity } from '../../../src/protocol/secagg/signature.js';
import { ChromiumPage, findChromium } from '../../support/chromium.js';
import { contrast } from '../../support/contrast.js';
import { type CoordinatorProcess, startCoordinator } from '../../support/coordinator-process.js';
import { thoroughSuite } from '../../support/exhaustive.js';
import { GatewayLoad, STEP_ROWS } from '../../support/gateway-load.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

/** Violations of the page's policy, told to the page itself. */
const WATCH = `window.violations = []; document.addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sourceFile + ':' + event.lineNumber));`;
/** A name of a tenant as no gateway makes it, which would run if it were taken as markup. */
const HOSTILE = '<img src=x onerror=window.ran=1>';
const STEPS = 12;
/** Screenshots are kept in this directory, where one is named. */
const SHOTS = process.env.CUTLAYER_SCREENSHOTS;

/** Elements that a person uses, without a name: each kind by its own rules. */
const UNNAMED = `[...document.querySelectorAll('a, button, input, textarea, [role], table, section, nav, dialog')]
  .filter((one) => one.checkVisibility())
  .filter((one) => {
    const by = (one.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join('');
    const own = one.matches('a, button') ? one.textContent : one.matches('table') ? (one.caption?.textContent ?? '') : '';
    const label = one.labels?.[0]?.textContent ?? '';
    const status = one.matches('[role=status], [role=alert]');
    return !status && [one.getAttribute('aria-label') ?? '', by, own, label].join('').trim() === '';
  })
  .map((one) => one.outerHTML.slice(0, 120))`;

/** The texts that are seen, each with its colours: its own, and the nearest opaque one behind it. */
const TEXTS = `[...document.querySelectorAll('body *')]
  .filter((one) => one.checkVisibility() && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
  .filter((one) => !one.matches('.hidden, .hidden *, .skip, option'))
  .map((one) => {
    let behind = one;
    while (behind.parentElement && /rgba\\(.*, 0\\)|transparent/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
    return [one.tagName + '.' + one.className + ' ' + one.textContent.trim().slice(0, 40), getComputedStyle(one).color, getComputedStyle(behind).backgroundColor];
  })`;

thoroughSuite('the page /admin in a browser', function () {
  this.timeout(180_000);
  let dir: string;
  let running: TestGateway;
  let load: GatewayLoad;
  let coordinator: CoordinatorProcess;
  let page: ChromiumPage;
  let origin: string;

  before(async function () {
    const file = findChromium();
    if (file === undefined) {
      process.stdout.write('    skipped: there is no Chromium here to load the page with\n');
      this.skip();
    }
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-dashboard-'));
    await writeFile(join(dir, 'prices.yaml'), 'currency: EUR\nmodels:\n  "*": { forward: 20000, backward: 40000, decoded: 100000 }\n');
    const stateDir = join(dir, 'state');
    await mkdir(stateDir);
    // Past the checks of names, as a faulty program could.
    const database = await openGatewayDatabase(join(stateDir, 'gateway.db'));
    await database.transaction(({ tenants }) => tenants.add({ name: HOSTILE, limits: {}, at: Date.now() }));
    await database.close();
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    coordinator = await startCoordinator();
    const members = ['east', 'north', 'south'].flatMap((name) => [
      '--member',
      `${name}=${Buffer.from(generateIdentity().publicKey).toString('hex')}`,
    ]);
    const created = await coordinator.run('create', '--name', 'ward notes', '--bundle', bundleDir, ...members);
    assert.equal(created.code, 0, created.stderr);
    running = await startTestGateway({
      backboneDir,
      start: {
        stateDir,
        coordinator: `http://${coordinator.ready.admin}`,
        audit: join(dir, 'audit'),
        prices: join(dir, 'prices.yaml'),
        tenantTokensPerDay: 100_000,
        tenantDecodeMemory: '1MiB',
      },
    });
    origin = `http://${running.gateway.admin}`;
    load = new GatewayLoad(running);
    await load.train('acme', STEPS);
    await load.train('bolt', 3, { backward: false });
    for (const session of ['first', 'second']) await load.decode('acme', session);
    await running.gateway.tenants.directory.store.register('quiet');
    page = await ChromiumPage.open(file!);
    await page.send('Page.addScriptToEvaluateOnNewDocument', { source: WATCH });
    await page.send('Emulation.setDeviceMetricsOverride', { width: 1280, height: 900, deviceScaleFactor: 1, mobile: false });
    if (SHOTS !== undefined) await mkdir(SHOTS, { recursive: true });
  });
  after(async () => {
    await page?.close();
    await load?.close();
    await running?.close();
    await coordinator?.stop();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  const textOf = (selector: string): Promise<string> => page.value(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`);
  const open = async (): Promise<void> => {
    await page.send('Page.navigate', { url: `${origin}/admin` });
    await page.until(
      `document.readyState === 'complete' && (!document.getElementById('sign-in').hidden || !document.getElementById('dashboard').hidden)`,
    );
  };
  const shot = async (name: string): Promise<void> => {
    if (SHOTS === undefined) return;
    const { data } = await page.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true });
    await writeFile(join(SHOTS, `${name}.png`), Buffer.from(String(data), 'base64'));
  };
  /** Goes on by Tab until an element has the focus. */
  const tabTo = async (selector: string): Promise<void> => {
    for (let presses = 0; presses < 120; presses++) {
      if (await page.value(`document.activeElement.matches(${JSON.stringify(selector)})`)) return;
      await page.press('Tab');
    }
    assert.fail(`tab does not reach ${selector}`);
  };
  const seenFocus = (): Promise<boolean> =>
    page.value(
      `getComputedStyle(document.activeElement).outlineStyle !== 'none' && parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2`,
    );
  const signIn = async (token: string): Promise<void> => {
    await page.send('Input.insertText', { text: token });
    await page.press('Enter');
  };
  const tenant = (name: string): string =>
    `[...document.querySelectorAll('#tenants-table tr[data-key]')].find((row) => row.dataset.key === ${JSON.stringify(name)})`;

  it('refuses a wrong sign-in, and says so', async () => {
    await open();
    assert.equal(await page.value('document.activeElement.id'), 'token');
    await signIn(await running.token({ scopes: ['train'] }));
    await page.until(`/refused/.test(document.getElementById('sign-in-failure').textContent)`);
    assert.equal(await page.value(`document.getElementById('token').value`), '', 'the token does not stay in the page');
    assert.ok(await page.value(`document.getElementById('dashboard').hidden`));
    await shot('sign-in-refused');
  });

  it('lets an administrator in, whose session no script can read', async () => {
    await page.value(`document.getElementById('token').focus()`);
    await signIn(await running.token({ tenant: 'operator', scopes: ['admin'] }));
    await page.until(`!document.getElementById('dashboard').hidden && document.querySelector('#load-cards .card')`);
    assert.equal(await page.value('document.cookie'), '');
    assert.match(await textOf('#who'), /^operator, for \d+ min$/);
    assert.equal(await page.value(`Object.keys(localStorage).length + Object.keys(sessionStorage).length`), 0);
  });

  it('shows the load of this gateway: its own numbers, with units', async () => {
    await page.until(`/2 sessions/.test(document.getElementById('load-cards').innerText)`);
    const cards = await textOf('#load-cards');
    for (const part of [`${STEPS + 3} steps`, /of 64; 2 streams/, /[\d.]+ (KiB|MiB)\s/, /of 64 wait; 0 of 1 worker at work/, '0 alarms'])
      assert.match(cards, part instanceof RegExp ? part : new RegExp(part));
    assert.equal(await textOf('#title'), running.gateway.model);
    assert.equal(await textOf('#state'), 'serving');
  });

  it('shows tenants with what they use of their limits, and what they were charged today', async () => {
    await page.until(`document.querySelectorAll('#tenants-table tbody tr').length === 4`);
    const acme = await page.value<string>(`${tenant('acme')}.innerText`);
    const rows = STEPS * STEP_ROWS;
    for (const part of [
      'active',
      `${2 * rows + 8} of 100,000`,
      `${rows} rows`,
      '8 rows',
      '2 of 64|decode sessions\\s+2',
      'of 1 MiB',
      '6.56',
    ])
      assert.match(acme, new RegExp(part), acme);
    assert.match(await page.value(`${tenant('quiet')}.innerText`), /0 of 100,000[\s\S]*0 rows/);
    assert.equal(await textOf('#tenants-count'), '4 tenants');
  });

  it('takes a name that looks like markup as a text', async () => {
    assert.equal(await page.value(`${tenant(HOSTILE)}.querySelector('.name').firstChild.data`), HOSTILE);
    assert.equal(await page.value(`document.querySelectorAll('img[src="x"]').length`), 0);
    assert.equal(await page.value('window.ran'), undefined);
    // The browser itself refuses text as markup on this page.
    const refused = await page.value(
      `(() => { try { document.createElement('p').innerHTML = '<b>x</b>'; return 'taken'; } catch (error) { return error.name; } })()`,
    );
    assert.equal(refused, 'TypeError');
    await page.value('void (violations.length = 0)');
  });

  it('finds tenants by a part of their name', async () => {
    await page.value(`document.getElementById('tenants-part').focus()`);
    await page.send('Input.insertText', { text: 'BOL' });
    await page.until(`document.querySelectorAll('#tenants-table tbody tr').length === 1`);
    assert.equal(await textOf('#tenants-count'), '1 tenant');
    await page.send('Input.insertText', { text: 'zz' });
    await page.until(`/No tenant has such a name/.test(document.getElementById('tenants-table').innerText)`);
    await page.value(
      `(() => { const field = document.getElementById('tenants-part'); field.value = ''; field.dispatchEvent(new Event('input')); })()`,
    );
    await page.until(`document.querySelectorAll('#tenants-table tbody tr').length === 4`);
  });

  it('suspends and resumes a tenant by keyboard alone, after a question, with entries in the audit log', async () => {
    const { directory } = running.gateway.tenants;
    const status = async (): Promise<string> => (await directory.store.show('bolt')).status;
    await page.value(`document.getElementById('tenants-part').focus()`);
    await tabTo('[aria-label="Suspend bolt"]');
    assert.ok(await seenFocus());
    await page.press('Enter');
    await page.until(`document.getElementById('confirm').open`);
    assert.match(await textOf('#confirm'), /Suspend bolt\?[\s\S]*end now/);
    await shot('confirm');
    // The question begins at the answer that changes nothing.
    assert.equal(await page.value('document.activeElement.id'), 'confirm-no');
    await page.press('Enter');
    await page.until(`!document.getElementById('confirm').open`);
    assert.equal(await status(), 'active');
    assert.equal(await page.value(`document.activeElement.getAttribute('aria-label')`), 'Suspend bolt', 'the focus is where it was');
    await page.press('Enter');
    await page.until(`document.getElementById('confirm').open`);
    await page.press('Tab');
    assert.equal(await page.value('document.activeElement.id'), 'confirm-yes');
    await page.press('Enter');
    await page.until(`/suspended/.test(${tenant('bolt')}.innerText)`);
    assert.equal(await status(), 'suspended');
    await assert.rejects(load.train('bolt', 1), /suspended/);
    await page.until(`/tenant suspend/.test(document.getElementById('audit-table').innerText)`);
    assert.match(await textOf('#audit-table'), /bolt, by operator[\s\S]*tenant suspend/);
    await shot('suspended');
    await page.value(`${tenant('bolt')}.querySelector('button').focus()`);
    await page.press('Enter');
    await page.until(`document.getElementById('confirm').open`);
    await page.press('Tab');
    await page.press('Enter');
    await page.until(`/active/.test(${tenant('bolt')}.innerText)`);
    assert.equal(await status(), 'active');
  });

  it('shows audit entries by kind, alarms among them', async () => {
    // A tenant asks for the vjp of one step again and again: a policy refuses it.
    await load.probe('acme');
    await page.value(`document.querySelector('input[name=kind][value=alarms]').click()`);
    await page.until(`/directionsPerStep, refused/.test(document.getElementById('audit-table').innerText)`);
    const alarms = await textOf('#audit-table');
    assert.match(alarms, /acme[\s\S]*directionsPerStep, refused/);
    assert.doesNotMatch(alarms, /tenant suspend|Forward, answered/);
    await page.value(`document.querySelector('input[name=kind][value=calls]').click()`);
    await page.until(`/Forward, answered/.test(document.getElementById('audit-table').innerText)`);
    await page.value(`document.querySelector('input[name=kind][value=""]').click()`);
  });

  it('shows the model card with the policies of its protection, and says what it knows of federations', async () => {
    await page.until(`document.querySelector('#model-card .facts')`);
    const card = await textOf('#model-card');
    for (const part of [running.gateway.backboneDigest, 'hidden size 32', 'min-tokens', 'EUR: forward 20000'])
      assert.ok(card.includes(part), part);
    await page.until(`document.querySelector('#federations-list tbody tr')`);
    assert.match(await textOf('#federations-list'), /[0-9a-f]{16}\s+not running[\s\S]*Members, lost ones and reasons/);
    const link: readonly string[] = await page.value(
      `(() => { const { href, rel } = document.querySelector('#federations-list a'); return [href, rel]; })()`,
    );
    assert.deepEqual(link, [`http://${coordinator.ready.admin}/federations`, 'noreferrer noopener']);
    await coordinator.kill();
    await page.until(`/cannot be reached/.test(document.getElementById('federations-failure').textContent)`);
  });

  it('draws throughput over time, and has the same numbers as text', async () => {
    const { history } = running.gateway.monitor;
    const points = history.after('hour', 0).times.length;
    for (let more = 0; more < 3; more++) {
      await load.train('acme', 5);
      const want = history.after('hour', 0).times.length;
      while (history.after('hour', 0).times.length === want) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(history.after('hour', 0).times.length >= points + 3);
    await page.until(`document.querySelectorAll('.uplot canvas').length === 5`);
    await page.value(`document.querySelector('details').open = true`);
    await page.until(`document.querySelectorAll('#points tbody tr').length >= 3`);
    assert.match(await textOf('#points'), /\d\d:\d\d:\d\d\s+[1-9][\d.]* rows\/s/);
    // Something of each colour is drawn.
    const colours = await page.value<number>(
      `(() => { const canvas = document.querySelector('.uplot canvas'); const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height); const seen = new Set(); for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255) seen.add(data[at] + ',' + data[at + 1] + ',' + data[at + 2]); return seen.size; })()`,
    );
    assert.ok(colours >= 3, `${colours} colours`);
  });

  it('is reached by tab in the order that is seen, with the focus visible and names for everything', async () => {
    await open();
    await page.until(`document.querySelectorAll('#tenants-table tbody tr').length === 4`);
    await page.value(`document.body.focus(); document.activeElement.blur()`);
    await page.press('Tab');
    assert.match(await page.value('document.activeElement.className'), /skip/);
    for (const selector of [
      'nav a',
      '#sign-out',
      'input[name=span]',
      '#points',
      '#tenants-part',
      '[aria-label^="Suspend"]',
      'input[name=kind]',
    ]) {
      if (selector === '#points') await page.value(`document.querySelector('details').open = true`);
      await page.value(`document.querySelector(${JSON.stringify(selector)}).focus()`);
      await page.press('Tab');
      assert.ok(await seenFocus(), `after ${selector}: ${await page.value('document.activeElement.outerHTML.slice(0, 80)')}`);
    }
    assert.deepEqual(await page.value(UNNAMED), []);
    const headings: readonly number[] = await page.value(
      `[...document.querySelectorAll('#dashboard h1, #dashboard h2, #dashboard h3')].map((one) => Number(one.tagName[1]))`,
    );
    assert.equal(headings.filter((level) => level === 1).length, 1);
    assert.ok(
      headings.every((level, index) => index === 0 || level <= headings[index - 1]! + 1),
      headings.join(),
    );
    assert.deepEqual(
      await page.value(
        `[...document.querySelectorAll('#dashboard table')].filter((one) => one.querySelectorAll('thead th[scope=col]').length === 0 || one.querySelectorAll('tbody th[scope=row]').length !== one.tBodies[0].rows.length).length`,
      ),
      0,
    );
    assert.deepEqual(
      await page.value(`['header', 'nav', 'main', 'footer'].map((name) => document.querySelectorAll('#dashboard ' + name).length)`),
      [1, 1, 1, 1],
    );
    assert.equal(await page.value('document.documentElement.lang'), 'en');
  });

  it('reads well in both themes, at two widths', async () => {
    const papers = new Set<string>();
    for (const theme of ['light', 'dark']) {
      await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: theme }] });
      for (const width of [1280, 390]) {
        await page.send('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: false });
        await page.until(`document.querySelector('.uplot canvas')`);
        const texts: readonly (readonly [string, string, string])[] = await page.value(TEXTS);
        assert.ok(texts.length > 60);
        for (const [text, ink, paper] of texts) {
          const ratio = contrast(ink, paper);
          assert.ok(ratio >= 4.5, `${theme}, ${width} px: ${text}: ${ink} on ${paper} is ${ratio.toFixed(2)}`);
        }
        papers.add(texts[0]![2]);
        const wide: number = await page.value('document.documentElement.scrollWidth');
        assert.ok(wide <= width, `${theme}, ${width} px: ${wide} px wide`);
        const name: number = await page.value(`document.querySelector('#dashboard h1').getBoundingClientRect().height`);
        assert.ok(name < 40, `${theme}, ${width} px: the name of the model takes ${name} px`);
        await shot(`${theme}-${width}`);
      }
    }
    assert.equal(papers.size, 2);
    await page.send('Emulation.setEmulatedMedia', { features: [] });
  });

  it('goes back to the sign-in when it signs out, and takes what it has shown with it', async () => {
    await page.value(`document.getElementById('sign-out').click()`);
    await page.until(`document.getElementById('dashboard').hidden && !document.getElementById('sign-in').hidden`);
    assert.equal(await page.value(`document.getElementById('tenants-table').childElementCount`), 0);
    await open();
    assert.ok(await page.value(`document.getElementById('dashboard').hidden`));
    assert.deepEqual(await page.value(UNNAMED), []);
    await shot('sign-in');
  });

  it('signs in with a client and its secret, by the token endpoint', async () => {
    const { client, secret } = await registered();
    await page.value(`document.querySelector('input[name=means][value=client]').click()`);
    await page.value(`document.getElementById('client').focus()`);
    await page.send('Input.insertText', { text: client });
    await page.press('Tab');
    assert.equal(await page.value('document.activeElement.id'), 'secret');
    await page.send('Input.insertText', { text: 'wrong' });
    await page.press('Enter');
    await page.until(`/refused/.test(document.getElementById('sign-in-failure').textContent)`);
    await page.value(`document.getElementById('secret').focus()`);
    await page.send('Input.insertText', { text: secret });
    await page.press('Enter');
    await page.until(`!document.getElementById('dashboard').hidden`);
    // The client stands behind the session, so it outlives the token of ten minutes.
    await page.until(`/for (59|60) min/.test(document.getElementById('who').textContent)`);
  });

  it('says that the gateway does not answer, and that a session has ended', async () => {
    await page.send('Network.emulateNetworkConditions', { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
    await page.until(`/does not answer/.test(document.getElementById('offline').textContent)`);
    await shot('offline');
    await page.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
    await page.until(`document.getElementById('offline').hidden`);
    await page.send('Network.clearBrowserCookies');
    await page.until(`/has ended/.test(document.getElementById('sign-in-failure').textContent)`);
  });

  it('has asked this origin alone, without a violation of its policy or an error', async () => {
    assert.deepEqual(await page.value('violations'), []);
    const of = (method: string) => page.events.filter((event) => event.method === method).map(({ params }) => params);
    const requests = of('Network.requestWillBeSent').map(({ request }) => (request as { readonly url: string }).url);
    assert.ok(requests.length > 30);
    assert.deepEqual(
      requests.filter((url) => !url.startsWith(`${origin}/`)),
      [],
    );
    assert.deepEqual(of('Runtime.exceptionThrown'), []);
    const entries = of('Log.entryAdded').map(
      ({ entry }) => entry as { readonly level: string; readonly text: string; readonly url?: string },
    );
    const complaints = entries.filter(
      ({ level, text }) => level !== 'verbose' && !/status of 401|status of 400|ERR_INTERNET_DISCONNECTED/.test(text),
    );
    // The test itself has tried to write markup once.
    assert.deepEqual(
      complaints.filter(({ text }) => !text.includes('TrustedHTML')),
      [],
    );
  });

  async function registered(): Promise<{ readonly client: string; readonly secret: string }> {
    const response = await fetch(`${origin}/v1/clients`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await running.token({ tenant: 'operator', scopes: ['admin'] })}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ tenant: 'operator', scopes: ['admin'] }),
    });
    const { client, secret } = (await response.json()) as { readonly client: { readonly id: string }; readonly secret: string };
    return { client: client.id, secret };
  }
});
