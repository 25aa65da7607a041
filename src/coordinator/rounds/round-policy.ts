/** A manifest's rules of rounds, in milliseconds and counts, for the pure machine. */
import type { Manifest } from '../../protocol/federation/manifest.js';
import { amplifyingRate, fewestSurvivors, maxCohortOf, openingMembers } from '../../protocol/federation/round-mechanism.js';
import type { FederationSettings } from '../../protocol/federation/settings.js';

/** Rules of rounds. */
export interface RoundPolicy {
  readonly members: readonly string[];
  readonly secure: boolean;
  /** 0: a round is released at any draw, see `amplifyingRate`. */
  readonly minCohort: number;
  readonly maxCohort: number;
  /** Members that an evaluate round needs. */
  readonly minMeasuring: number;
  /** Number of payloads of a cohort that a sum needs. */
  readonly survivors: (cohort: number) => number;
  /** Number of answers that confirming and unmasking need. */
  readonly threshold: (cohort: number) => number;
  readonly trigger: FederationSettings['rounds']['trigger'];
  /** Train rounds to release; null: no limit. */
  readonly count: number | null;
  readonly enlistMs: number;
  readonly gatherMs: number;
  readonly trainMs: number;
  readonly stageMs: number;
  /** Whether candidates are measured before they are promoted. */
  readonly evaluates: boolean;
}

/** The rules of a manifest. */
export function roundPolicy(manifest: Pick<Manifest, 'settings' | 'members'>): RoundPolicy {
  const { settings, members } = manifest;
  const { rounds, cohort } = settings;
  const released = amplifyingRate(manifest) !== null;
  return {
    members: members.map(({ name }) => name).sort(),
    secure: settings.secureAggregation !== null,
    minCohort: released ? 0 : cohort.min,
    maxCohort: maxCohortOf(manifest),
    minMeasuring: settings.evaluation?.minMembers ?? 0,
    survivors: (size) => (released ? 0 : fewestSurvivors(manifest, size)),
    threshold: (size) => openingMembers(manifest, size),
    trigger: rounds.trigger,
    count: rounds.count,
    enlistMs: rounds.enlistSeconds * 1000,
    gatherMs: rounds.gatherSeconds * 1000,
    trainMs: rounds.trainSeconds * 1000,
    stageMs: rounds.stageSeconds * 1000,
    evaluates: settings.evaluation !== null,
  };
}
