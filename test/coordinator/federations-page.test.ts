/** The page for the leads: what it says, and that no name on it is markup. */
import assert from 'node:assert/strict';
import { renderFederations } from '../../src/coordinator/federations-page.js';
import { federationsPage } from '../../src/coordinator/federations-view.js';
import { createAdminApp } from '../../src/server/admin/app.js';
import { listenAdmin } from '../../src/server/admin/listen.js';
import { createLogger } from '../../src/server/observability/log.js';
import { createCallMetrics } from '../../src/server/observability/metrics.js';
import { CoordinatorRig, testManifest } from '../support/coordinator-rig.js';

describe('the page of federations', () => {
  let rig: CoordinatorRig;
  before(async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ evaluation: null, secureAggregation: null }, 4) });
    await rig.play(({ released }) => released === 1);
    await rig.stepAll();
    await rig.stepAll(rig.members.slice(0, 2));
    rig.time.advance(3_700_000);
    await rig.stepAll(rig.members.slice(0, 3));
  });
  after(() => rig.close());

  it('shows members by rounds, the lost one in red, aborted reasons, and who is awaited', async () => {
    const html = await federationsPage(rig.coordinator, rig.time.now).html();
    const [, second] = /<tr><th>member-003.*?<\/th>(.*?)<\/tr>/s.exec(html)!;
    assert.match(second!, /^<td title="in the sum">✓<\/td><td class="lost" title="lost">✗<\/td>/);
    assert.match(html, /submitting: 2 of at least 3 members answered until its cutoff; no answer from member-002, member-003/);
    assert.match(html, /<small>seen 62 min ago<\/small>|<small>seen \d+ (min|h) ago<\/small>/);
    assert.match(html, /1 released.*1 aborted/s);
    assert.doesNotMatch(html, /<script|https?:\/\//);
    assert.doesNotMatch(html.slice(html.indexOf('<main>')), />[^<\s]{33,}</, 'a word wider than a telephone');
  });

  it('writes texts of members and manifests as text', async () => {
    const [report] = await rig.coordinator.status();
    const evil = '<img src=x onerror=alert(1)>"';
    const [ending] = report!.recent;
    const round = { ...report!.round!, round: 9, purpose: 'train', stage: 'submitting', awaited: [evil], answered: [evil] } as const;
    const shown = {
      ...report!,
      name: evil,
      reason: evil,
      round,
      members: [{ name: evil, seenAt: null }],
      recent: [{ ...ending!, aborted: evil }],
    };
    const html = renderFederations([{ report: shown, sums: new Map([[1, [evil]]]) }], rig.time.now());
    assert.doesNotMatch(html, /<img/);
    assert.match(html, /&lt;img src=x onerror=alert\(1\)&gt;&quot;/);
  });

  it('is served with a policy that loads nothing, to callers that name the machine alone', async () => {
    const log = createLogger({ level: 'silent' });
    const page = federationsPage(rig.coordinator, rig.time.now);
    const app = createAdminApp({ jwks: undefined, metrics: createCallMetrics(), draining: () => false, log, role: 'coordinator', page });
    const admin = await listenAdmin(app, '127.0.0.1', 0, log);
    try {
      const url = `http://127.0.0.1:${admin.port}/federations`;
      const response = await fetch(url);
      assert.equal(response.status, 200);
      assert.match(response.headers.get('content-type')!, /^text\/html/);
      assert.match(response.headers.get('content-security-policy')!, /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'/);
      assert.match(await response.text(), /<h1>Federations<\/h1>/);
      const { request } = await import('node:http');
      const status = await new Promise((resolve, reject) => {
        request(url, { headers: { Host: 'evil.example' } }, (answer) => resolve(answer.resume().statusCode))
          .on('error', reject)
          .end();
      });
      assert.equal(status, 403);
    } finally {
      await admin.close();
    }
  });
});
