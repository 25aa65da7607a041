/**
 * What a participant tells while it runs. Of the local data it holds only counts and metrics, which
 * stay on this machine.
 */
import type { ErrorCode } from '../../../src/errors.js';
import type { VersionMetrics } from '../../../src/protocol/federation/chain.js';
import type { RoundPurpose } from '../../../src/protocol/federation/enlistment.js';
import type { RoundStage } from '../../../src/protocol/federation/federation-api.js';
import type { DataEvent } from './data/local-data.js';
import type { LocalStep } from './local-training.js';

export type ParticipantEvent =
  | {
      readonly type: 'joined';
      readonly federation: string;
      readonly name: string;
      readonly member: string;
      readonly round: number;
      readonly version: number | undefined;
      readonly secureAggregation: boolean;
    }
  | { readonly type: 'waiting'; readonly reason: string }
  /** Coordinator or gateway is away; it is tried again. */
  | { readonly type: 'offline'; readonly code: ErrorCode; readonly message: string; readonly delayMs: number }
  | { readonly type: 'online' }
  | {
      readonly type: 'round';
      readonly round: number;
      readonly purpose: RoundPurpose;
      readonly version: number;
      readonly examples: number;
      readonly resumed: boolean;
    }
  | {
      readonly type: 'stage';
      readonly round: number;
      readonly stage: RoundStage;
      readonly cohort?: readonly string[];
      readonly remainingMs: number;
    }
  | ({ readonly type: 'step'; readonly round: number } & LocalStep)
  | { readonly type: 'measured'; readonly version: number; readonly current: VersionMetrics; readonly earlier: VersionMetrics }
  /** A promoted version could not be measured here. */
  | { readonly type: 'unmeasured'; readonly version: number; readonly code: ErrorCode; readonly message: string }
  /** What a candidate forgot of this member's earlier held-out examples; negative: it is better. */
  | { readonly type: 'compared'; readonly version: number; readonly promoted: number; readonly forgotten: VersionMetrics }
  | { readonly type: 'submitted'; readonly round: number; readonly purpose: RoundPurpose; readonly bytes: number; readonly again: boolean }
  /** This member has done all that the round asks of it. */
  | { readonly type: 'answered'; readonly round: number; readonly purpose: RoundPurpose }
  | { readonly type: 'satOut'; readonly round: number; readonly code: ErrorCode; readonly message: string }
  | {
      readonly type: 'aggregate';
      readonly round: number;
      readonly version: number;
      readonly participants: readonly string[];
      readonly own: boolean;
    }
  | {
      readonly type: 'promoted';
      readonly version: number;
      readonly cohort: VersionMetrics | undefined;
      readonly adapterDir: string | undefined;
    }
  | {
      readonly type: 'rejected';
      readonly version: number;
      readonly cohort: VersionMetrics | undefined;
      readonly promoted: VersionMetrics | undefined;
    }
  | { readonly type: 'rolledBack'; readonly version: number; readonly from: number; readonly adapterDir: string | undefined }
  /** Of a data folder. */
  | ({ readonly type: 'data' } & DataEvent)
  /** The local port takes examples. */
  | { readonly type: 'portOpen'; readonly url: string; readonly tokenFile: string }
  /** A request to it failed through no fault of the caller. */
  | { readonly type: 'portFailed'; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'finished'; readonly reason: string };

/** How a participant ended. */
export interface ParticipantSummary {
  readonly stopped: 'finished' | 'rounds' | 'cancelled';
  /** Train rounds of this run with this member's update that have been decided upon. */
  readonly rounds: number;
  /** Rounds that this member declined or gave up, in this run. */
  readonly satOut: number;
  /** Promoted version. */
  readonly version: number | undefined;
  /** Payloads of this run to and from the coordinator. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Versions measured on this member's held-out data, in their order. */
  readonly measured: readonly ({ readonly version: number } & VersionMetrics)[];
}
