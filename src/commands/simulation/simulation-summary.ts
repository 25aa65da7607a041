/** A simulation's points, one per version, and summary, as in curves.jsonl and summary.json. */

import type { PrivacyReport } from '../../coordinator/coordinator-api.js';
import type { VersionMetrics } from '../../protocol/federation/chain.js';
import type { RoundPurpose } from '../../protocol/federation/enlistment.js';
import type { FederationSettings } from '../../protocol/federation/settings.js';

/** Bytes in both directions, of all participants, since the previous point. */
export interface BytesBothWays {
  readonly up: number;
  readonly down: number;
}

export interface SimulationPoint {
  readonly version: number;
  /** 0: the initial one. */
  readonly round: number;
  /** Wall-clock seconds since the beginning. */
  readonly seconds: number;
  /** Members whose updates are in it. */
  readonly participants: number;
  /** Members that were lost in its round. */
  readonly vanished: number;
  /** On the common test; null if the coordinator had dropped the version before it was measured. */
  readonly test: VersionMetrics | null;
  /** The cohort's mean on its held-out examples; null without evaluate rounds. */
  readonly heldOut: VersionMetrics | null;
  readonly promoted: boolean;
  readonly coordinator: BytesBothWays;
  readonly gateway: BytesBothWays;
  /** Spent so far; null without differential privacy. */
  readonly privacy: Pick<PrivacyReport, 'unit' | 'epsilon' | 'delta' | 'rounds' | 'sampling'> | null;
  readonly rssBytes: number;
}

/** A round that ended without a result. */
export interface AbortedRound {
  readonly round: number;
  readonly purpose: RoundPurpose;
  readonly reason: string;
  /** Enlisted members without an answer, at most 32. */
  readonly lost: readonly string[];
}

/** One participant's data and traffic. */
export interface SimulatedParticipant {
  readonly name: string;
  readonly training: number;
  readonly heldOut: number;
  /** Records by label. */
  readonly labels: Readonly<Record<string, number>>;
  /** To and from the coordinator, all rounds. */
  readonly up: number;
  readonly down: number;
  readonly vanished: number;
}

export interface SimulationSummary {
  readonly federation: string;
  readonly settings: FederationSettings;
  readonly seed: number;
  readonly split: string;
  readonly dropout: number;
  readonly stopped: string;
  readonly seconds: number;
  readonly released: number;
  readonly aborted: number;
  readonly abortedRounds: readonly AbortedRound[];
  readonly testExamples: number;
  readonly points: readonly SimulationPoint[];
  readonly participants: readonly SimulatedParticipant[];
}
