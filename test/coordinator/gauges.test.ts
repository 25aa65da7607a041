import assert from 'node:assert/strict';
import type { FederationReport } from '../../src/coordinator/coordinator-api.js';
import { addFederationGauges } from '../../src/coordinator/gauges.js';
import { createCallMetrics } from '../../src/server/observability/metrics.js';

const id = 'ab'.repeat(32);
const report: FederationReport = {
  federation: id,
  name: 'ward notes',
  state: 'running',
  reason: '',
  round: {
    round: 7,
    purpose: 'train',
    stage: 'submitting',
    remainingMs: 1000,
    cohort: ['east', 'north', 'south'],
    answered: [],
    awaited: [],
    stageMs: 0,
  },
  versions: [
    {
      version: 2,
      parent: 1,
      round: 4,
      status: 'promoted',
      digest: id,
      participants: 3,
      current: { loss: 0.5, accuracy: 0.9, exactMatch: 0.4 },
      earlier: null,
      at: 0,
    },
  ],
  released: 3,
  aborted: 1,
  privacy: null,
  bytesIn: 0,
  bytesOut: 0,
  broadcasts: 5,
  chainHead: id,
  orders: 2,
  recent: [],
  members: [],
};

describe('federation metrics', () => {
  it('show each federation by its id, with one look at the store a scrape', async () => {
    const metrics = createCallMetrics({ process: false });
    let looks = 0;
    const reports = [report];
    addFederationGauges(metrics, {
      status: async () => {
        looks += 1;
        return reports;
      },
    });
    const text = await metrics.text();
    for (const line of ['running', 'released_rounds', 'aborted_rounds', 'promoted_version', 'promoted_loss', 'round', 'cohort'].map(
      (name, at) => `cutlayer_federation_${name}{federation="${id}"} ${[1, 3, 1, 2, 0.5, 7, 3][at]}`,
    ))
      assert.ok(text.split('\n').includes(line), line);
    assert.doesNotMatch(text, /epsilon\{/);
    assert.equal(looks, 1);

    // What has gone is no longer shown.
    reports[0] = { ...report, round: null };
    assert.doesNotMatch(await metrics.text(), /federation_round\{/);
  });
});
