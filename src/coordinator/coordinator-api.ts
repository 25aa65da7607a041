/**
 * A coordinator in the project's own types: a federation for a member, all federations for a
 * founder. The gRPC service translates it, and a simulation calls it directly.
 */
import type { SignedBroadcast, VersionMetrics } from '../protocol/federation/chain.js';
import type { RoundPurpose } from '../protocol/federation/enlistment.js';
import type { FederationApi, RoundStage } from '../protocol/federation/federation-api.js';
import type { FounderAction, FounderOrder } from '../protocol/federation/founder-order.js';
import type { SignedManifest } from '../protocol/federation/manifest.js';
import type { VersionStatus } from './tables/versions.js';

/** State of a federation. */
export type FederationState = 'created' | 'running' | 'paused' | 'finished';

/** The round under way. */
export interface RoundReport {
  readonly round: number;
  readonly purpose: RoundPurpose;
  readonly stage: RoundStage;
  /** Milliseconds to the stage's cutoff; 0: none. */
  readonly remainingMs: number;
  readonly cohort: readonly string[];
  /** Members that have answered in this stage. */
  readonly answered: readonly string[];
  /** Members that the stage waits for, sorted. */
  readonly awaited: readonly string[];
  /** Milliseconds since the stage began. */
  readonly stageMs: number;
}

/** A member on the roster. */
export interface MemberReport {
  readonly name: string;
  /** Newest proven call, milliseconds since 1970; null: none. */
  readonly seenAt: number | null;
}

/** A member that works calls once a minute: longer silence is named. */
const SILENT_MS = 180_000;

/** Milliseconds since a member was heard, when it is silent. @param now milliseconds since 1970 */
export function silentFor({ seenAt }: MemberReport, now: number): number | undefined {
  const since = now - (seenAt ?? 0);
  return since > SILENT_MS ? since : undefined;
}

/** A round that has ended. */
export interface RoundEnding {
  readonly round: number;
  readonly purpose: RoundPurpose;
  /** The round's new version; null: none. */
  readonly version: number | null;
  /** Reason of an abort; null: not aborted. */
  readonly aborted: string | null;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Number of members that enlisted. */
  readonly cohort: number;
  /** Enlisted members whose payload is in no sum, sorted; at most {@link MOST_LOST} names. */
  readonly lost: readonly string[];
}

/** Lost members that the ending of a round names. */
export const MOST_LOST = 32;

/** A version and its evaluation. */
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

/** Spent budget of differential privacy. */
export interface PrivacyReport {
  readonly unit: 'client';
  readonly epsilon: number;
  readonly delta: number;
  readonly rounds: number;
  readonly sampling: string;
  readonly maxEpsilon: number;
}

/** A federation as its founder sees it, without any member's update or message. */
export interface FederationReport {
  readonly federation: string;
  readonly name: string;
  readonly state: FederationState;
  /** Reason of the state, as text. */
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
  /** Number of the founder's orders that were carried out. */
  readonly orders: number;
  /** Newest first, at most 20. */
  readonly recent: readonly RoundEnding[];
  /** The roster, sorted by name. */
  readonly members: readonly MemberReport[];
}

/** What founder and members may read of a federation. */
export interface FederationReader {
  /** @throws CutlayerError NOT_FOUND */
  manifest(): Promise<SignedManifest>;
  /** Broadcasts from `from` on, at most 256. */
  broadcasts(from: number): Promise<readonly SignedBroadcast[]>;
  /** All parameters of a version, concatenated. @throws CutlayerError NOT_FOUND */
  version(version: number): Promise<Float32Array>;
}

/** A coordinator's federations. Every method rejects with a CutlayerError. */
export interface CoordinatorApi {
  /** Ed25519 public key that signs broadcasts; manifests name it. */
  readonly publicKey: Uint8Array;
  /**
   * A member's key on the roster, 32 bytes. @throws CutlayerError NOT_FOUND: no such federation, or
   * none that has this name on its roster
   */
  memberKey(federation: string, name: string): Uint8Array;
  /** A federation for this member, which the caller has authenticated. */
  member(federation: string, name: string): FederationApi;
  /** A federation for its founder. */
  reader(federation: string): FederationReader;
  /**
   * Creates a federation; creating the same one again is no error.
   * @param parameters Version 0, all parameters concatenated.
   * @returns the federation's id
   * @throws CutlayerError MANIFEST_REJECTED, INVALID_ARGUMENT, DIGEST_MISMATCH
   */
  create(manifest: SignedManifest, parameters: Float32Array): Promise<string>;
  /**
   * Carries out an order of the federation's founder, once.
   * @throws CutlayerError NOT_FOUND, NOT_THE_FOUNDER, ORDER_OUTDATED (sign again, with the report's
   *   `orders` plus one and its `chainHead`), INVALID_ARGUMENT; of a skip, NOT_A_MEMBER,
   *   ROUND_CLOSED, ROUND_REFUSED (the round would be below its floors)
   */
  control(federation: string, action: FounderAction, order: FounderOrder): Promise<FederationReport>;
  /** @param federation All of them when left out. @throws CutlayerError NOT_FOUND */
  status(federation?: string): Promise<readonly FederationReport[]>;
  /** Ends timers and waits for pending writes; its owner closes the store. */
  close(): Promise<void>;
}
