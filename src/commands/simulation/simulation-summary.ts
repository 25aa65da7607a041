/** What a simulation finds out: a point for every version, and the whole. Written as curves.jsonl and summary.json; page and tables are made from it. */

import type { PrivacyReport } from '../../coordinator/coordinator-api.js';
import type { VersionMetrics } from '../../protocol/federation/chain.js';
import type { FederationSettings } from '../../protocol/federation/settings.js';

/** Bytes in both directions, of all participants together, since the point before. */
export interface BytesBothWays {
  readonly up: number;
  readonly down: number;
}

/** A version. */
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
  /** On the common test; null: the coordinator had dropped the version before it could be measured. */
  readonly test: VersionMetrics | null;
  /** The cohort's mean on its held-out examples; null without evaluate rounds. */
  readonly heldOut: VersionMetrics | null;
  readonly promoted: boolean;
  /** Between participants and coordinator. */
  readonly coordinator: BytesBothWays;
  /** Between participants and gateway. */
  readonly gateway: BytesBothWays;
  /** Spent so far; null without differential privacy. */
  readonly privacy: Pick<PrivacyReport, 'unit' | 'epsilon' | 'delta' | 'rounds' | 'sampling'> | null;
  /** Memory of the process at this point. */
  readonly rssBytes: number;
}

/** What one participant had and sent. */
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

/** A simulation. */
export interface SimulationSummary {
  readonly federation: string;
  readonly settings: FederationSettings;
  readonly seed: number;
  readonly split: string;
  readonly dropout: number;
  /** Why it ended. */
  readonly stopped: string;
  readonly seconds: number;
  readonly released: number;
  readonly aborted: number;
  readonly testExamples: number;
  readonly points: readonly SimulationPoint[];
  readonly participants: readonly SimulatedParticipant[];
}
