/**
 * The playground's page in a headless Chromium: what it loads, that it answers, by keyboard alone,
 * in light and dark, at two widths.
 */
import assert from 'node:assert/strict';
import { ChromiumPage, findChromium } from '../../support/chromium.js';
import { contrast } from '../../support/contrast.js';
import { thorough } from '../../support/exhaustive.js';
import { type ScriptedServer, startScripted } from '../../support/scripted-model.js';

/** Violations of the page's policy, told to the page itself. */
const WATCH = `window.violations = []; document.addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective + ' ' + event.blockedURI));`;

describe('the playground in a browser', function () {
  this.timeout(120_000);
  let server: ScriptedServer | undefined;
  let page: ChromiumPage | undefined;
  afterEach(async () => {
    await page?.close();
    await server?.close();
  });

  thorough(
    'loads from this endpoint alone and within its policy, answers by keyboard, and reads well in both themes and widths',
    async function (this: Mocha.Context) {
      const file = findChromium();
      if (file === undefined) {
        process.stdout.write('    skipped: there is no Chromium here to load the playground with\n');
        this.skip();
      }
      server = await startScripted({ pieces: ['It is ', 'the <b>pump</b>.'] }, { maxWaiting: 8 });
      page = await ChromiumPage.open(file!);
      await page.send('Page.addScriptToEvaluateOnNewDocument', { source: WATCH });
      await page.send('Page.navigate', { url: `${server.url}/` });
      await page.until(`document.getElementById('model')?.value === 'scripted'`);

      // The message has the focus; Enter sends it, and the answer's markup stays text.
      assert.equal(await page.value('document.activeElement.id'), 'prompt');
      await page.send('Input.insertText', { text: 'Which part?' });
      await page.press('Enter');
      const answers = `[...document.querySelectorAll('#log .assistant span')].map((turn) => turn.textContent)`;
      await page.until(`${answers}.at(-1) === 'It is the <b>pump</b>.' && !document.getElementById('send').disabled`);
      await page.until(`/^2 tokens/.test(document.getElementById('figures').textContent)`);
      // The next one is sent by the button, which tab reaches and which shows that it has the
      // focus.
      await page.send('Input.insertText', { text: 'And now?' });
      await page.press('Tab');
      assert.equal(await page.value('document.activeElement.id'), 'send');
      assert.notEqual(await page.value(`getComputedStyle(document.activeElement).outlineStyle`), 'none');
      await page.press('Enter');
      await page.until(`${answers}.length === 2 && ${answers}.at(-1) === 'It is the <b>pump</b>.'`);
      const reached = new Set<string>();
      for (let presses = 0; presses < 24; presses++) {
        await page.press('Tab');
        reached.add(await page.value('document.activeElement.id || document.activeElement.tagName'));
      }
      for (const name of ['model', 'mode', 'key', 'prompt', 'send', 'clear', 'SUMMARY'])
        assert.ok(reached.has(name), `tab reaches ${name}`);

      const papers: string[] = [];
      for (const theme of ['light', 'dark']) {
        await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: theme }] });
        const colours = await page.value<readonly [string, string, string]>(
          `[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color, getComputedStyle(document.querySelector('label')).color]`,
        );
        const [paper, ink, soft] = colours;
        assert.ok(contrast(paper, ink) >= 7 && contrast(paper, soft) >= 4.5, `${theme}: ${colours.join('; ')}`);
        papers.push(colours[0]);
        for (const width of [390, 900]) {
          await page.send('Emulation.setDeviceMetricsOverride', { width, height: 800, deviceScaleFactor: 1, mobile: false });
          const sizes: readonly number[] = await page.value('[innerWidth, document.documentElement.scrollWidth]');
          assert.equal(sizes[0], width);
          assert.ok(sizes[1]! <= width, `${theme}, ${width} px: ${sizes[1]} px wide`);
        }
      }
      assert.notEqual(papers[0], papers[1]);

      assert.deepEqual(await page.value('violations'), []);
      const of = (method: string) => page!.events.filter((event) => event.method === method).map(({ params }) => params);
      const requests = of('Network.requestWillBeSent').map(({ request }) => (request as { readonly url: string }).url);
      assert.ok(requests.length >= 4);
      assert.deepEqual(
        requests.filter((url) => !url.startsWith(`${server!.url}/`) && !url.startsWith('data:')),
        [],
      );
      const complaints = of('Log.entryAdded').filter(({ entry }) => (entry as { readonly level: string }).level !== 'verbose');
      assert.deepEqual([of('Runtime.exceptionThrown'), complaints], [[], []]);
    },
  );
});
