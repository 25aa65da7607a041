/** Gauges for `/metrics`, one series a federation: numbers of rounds, members, versions only. */

import type { CallMetrics, LabelledValues } from '../server/observability/metrics.js';
import type { CoordinatorApi, FederationReport } from './coordinator-api.js';

const table = {
  running: ['cutlayer_federation_running', '1 while rounds begin, 0 when created, paused or finished.'],
  round: ['cutlayer_federation_round', 'Number of the round under way; no series between rounds.'],
  cohort: ['cutlayer_federation_cohort', 'Members in the round under way; no series between rounds.'],
  released: ['cutlayer_federation_released_rounds', 'Aggregates released.'],
  aborted: ['cutlayer_federation_aborted_rounds', 'Rounds aborted.'],
  promoted: ['cutlayer_federation_promoted_version', 'The version in use.'],
  loss: ['cutlayer_federation_promoted_loss', 'Mean held-out loss of the version in use, in nats; no series without an evaluation.'],
  epsilon: ['cutlayer_federation_epsilon', 'Client-level epsilon spent; no series without differential privacy.'],
  maxEpsilon: ['cutlayer_federation_max_epsilon', 'Client-level epsilon allowed; no series without differential privacy.'],
} as const;

type Key = keyof typeof table;

/** Registers the gauges. */
export function addFederationGauges(metrics: Pick<CallMetrics, 'addLabelledGauges'>, coordinator: Pick<CoordinatorApi, 'status'>): void {
  const read = async (): Promise<LabelledValues<Key>> => {
    const reports = await coordinator.status();
    return new Map(reports.map((report) => [report.federation, valuesOf(report)]));
  };
  // A scrape reads every gauge at once: one read of the store serves them all.
  let reading: Promise<LabelledValues<Key>> | undefined;
  metrics.addLabelledGauges('federation', table, () => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  });
}

function valuesOf({ state, round, released, aborted, versions, privacy }: FederationReport): Partial<Record<Key, number>> {
  const promoted = versions.find(({ status }) => status === 'promoted');
  return {
    running: state === 'running' ? 1 : 0,
    released,
    aborted,
    ...(round === null ? {} : { round: round.round, cohort: round.cohort.length }),
    ...(promoted === undefined ? {} : { promoted: promoted.version }),
    ...(promoted?.current == null ? {} : { loss: promoted.current.loss }),
    ...(privacy === null ? {} : { epsilon: privacy.epsilon, maxEpsilon: privacy.maxEpsilon }),
  };
}
