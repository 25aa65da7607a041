/**
 * What a coordinator offers, in the project's own types: to each member its part of a federation,
 * to the founder the federations themselves. The gRPC service translates it and a simulation calls
 * it directly; neither decides anything.
 */
import type { SignedBroadcast, VersionMetrics } from '../protocol/federation/chain.js';
import type { RoundPurpose } from '../protocol/federation/enlistment.js';
import type { FederationApi, RoundStage } from '../protocol/federation/federation-api.js';
import type { SignedManifest } from '../protocol/federation/manifest.js';
import type { VersionStatus } from './tables/versions.js';

/** What a founder may do with a federation that runs. */
export type ControlAction =
  /** Begins, or goes on after a pause. */
  | { readonly kind: 'start' }
  /** The round under way is aborted; no new one begins until start. */
  | { readonly kind: 'pause' }
  /** Ends the federation for good. */
  | { readonly kind: 'finish' }
  /** Makes an earlier version the promoted one. */
  | { readonly kind: 'rollback'; readonly version: number };

/** How a federation stands. */
export type FederationState = 'created' | 'running' | 'paused' | 'finished';

/** The round under way. */
export interface RoundReport {
  readonly round: number;
  readonly purpose: RoundPurpose;
  readonly stage: RoundStage;
  /** To the stage's cutoff; 0: none. */
  readonly remainingMs: number;
  readonly cohort: readonly string[];
  /** Members that have answered in this stage. */
  readonly answered: readonly string[];
}

/** A round that has ended. */
export interface RoundEnding {
  readonly round: number;
  readonly purpose: RoundPurpose;
  /** Version that came of it; null: none. */
  readonly version: number | null;
  /** Why it was aborted; null: it was not. */
  readonly aborted: string | null;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** A version and what is known of it. */
export interface VersionReport {
  readonly version: number;
  readonly parent: number | null;
  readonly round: number | null;
  readonly status: VersionStatus;
  readonly digest: string;
  /** Number of members whose updates are in it. */
  readonly participants: number;
  /** Means over the cohort: of all held-out examples, of the earlier ones; null: none. */
  readonly current: VersionMetrics | null;
  readonly earlier: VersionMetrics | null;
  readonly at: number;
}

/** What differential privacy has cost. */
export interface PrivacyReport {
  readonly unit: 'client';
  readonly epsilon: number;
  readonly delta: number;
  readonly rounds: number;
  readonly sampling: string;
  readonly maxEpsilon: number;
}

/** A federation as its founder sees it. No update and no message of a member is in it. */
export interface FederationReport {
  readonly federation: string;
  readonly name: string;
  readonly state: FederationState;
  /** Why, for people. */
  readonly reason: string;
  readonly round: RoundReport | null;
  /** Ascending. */
  readonly versions: readonly VersionReport[];
  readonly released: number;
  readonly aborted: number;
  readonly privacy: PrivacyReport | null;
  /** Bytes received in, and sent for, rounds. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly broadcasts: number;
  /** Hash of the newest broadcast, hex; empty before the first. */
  readonly chainHead: string;
  /** Newest first, at most 20. */
  readonly recent: readonly RoundEnding[];
}

/** What every party with a right to a federation may read of it. */
export interface FederationReader {
  /** @throws CutlayerError NOT_FOUND */
  manifest(): Promise<SignedManifest>;
  /** Links from `from` on, at most 256. */
  broadcasts(from: number): Promise<readonly SignedBroadcast[]>;
  /** All parameters of a version, one after the other. @throws CutlayerError NOT_FOUND */
  version(version: number): Promise<Float32Array>;
}

/** A coordinator's federations. Every method rejects with a CutlayerError. */
export interface CoordinatorApi {
  /** Ed25519 public key that manifests have to name, and that signs broadcasts. */
  readonly publicKey: Uint8Array;
  /** A federation as this member may use it; the caller has authenticated the member. */
  member(federation: string, name: string): FederationApi;
  /** A federation as its founder may read it. */
  reader(federation: string): FederationReader;
  /**
   * Takes a federation on; the same one again is no error.
   * @param parameters Version 0, all parameters one after the other.
   * @returns the federation's id
   * @throws CutlayerError MANIFEST_REJECTED, INVALID_ARGUMENT, DIGEST_MISMATCH
   */
  create(manifest: SignedManifest, parameters: Float32Array): Promise<string>;
  /** @throws CutlayerError NOT_FOUND, INVALID_ARGUMENT, BUDGET_EXHAUSTED */
  control(federation: string, action: ControlAction): Promise<FederationReport>;
  /** @param federation All of them when left out. @throws CutlayerError NOT_FOUND */
  status(federation?: string): Promise<readonly FederationReport[]>;
  /** Ends timers and waits for what is being written; the store is closed by its owner. */
  close(): Promise<void>;
}
