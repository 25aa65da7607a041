/**
 * What a participant asks of a coordinator, in the project's own types. The coordinator offers it
 * per member, the gRPC service and the gRPC client stand in between, and a simulation calls it
 * directly.
 */
import type { Confirmation, RevealedShares, SealedShares } from '../secagg/messages.js';
import type { SignedBroadcast } from './chain.js';
import type { Enlistment, RoundPurpose } from './enlistment.js';
import type { SignedManifest } from './manifest.js';

/** A round's stages in order. Without secure aggregation only the first and the third. */
export const roundStages = ['enlisting', 'sharing', 'submitting', 'confirming', 'unmasking'] as const;

/** One of {@link roundStages}. */
export type RoundStage = (typeof roundStages)[number];

/** What a member is asked to do. */
export type Task =
  | { readonly kind: 'wait'; readonly reason: string }
  /** `version`: to train from or to measure; `promoted`: its rival (train: the same). */
  | { readonly kind: 'enlist'; readonly round: number; readonly purpose: RoundPurpose; readonly version: number; readonly promoted: number }
  | { readonly kind: 'shareKeys'; readonly round: number; readonly cohort: readonly Enlistment[] }
  /** `cohort` without secure aggregation, `inbox` with it. */
  | { readonly kind: 'submit'; readonly round: number; readonly cohort: readonly Enlistment[]; readonly inbox: readonly SealedShares[] }
  | { readonly kind: 'confirm'; readonly round: number; readonly survivors: readonly string[] }
  | { readonly kind: 'unmask'; readonly round: number; readonly confirmations: readonly Confirmation[] }
  | { readonly kind: 'finished'; readonly reason: string };

/** A task that is a stage of a round. */
export type StageTask = Extract<Task, { readonly round: number }>;

/** The stage that each task asks for. */
export const stageOfTask: { readonly [Kind in StageTask['kind']]: RoundStage } = {
  enlist: 'enlisting',
  shareKeys: 'sharing',
  submit: 'submitting',
  confirm: 'confirming',
  unmask: 'unmasking',
};

/** What a member says when it asks for a task. */
export interface TaskRequest {
  readonly waitMs: number;
  /** Number of broadcasts that it has; more of them end the wait. */
  readonly broadcastsKnown: number;
  readonly newExamplesReady: boolean;
  readonly canEvaluate: boolean;
  /** The newest stage that it has answered or given up; the answer is never that task again. */
  readonly done: { readonly round: number; readonly stage: RoundStage } | null;
}

/** A task, and how the chain stands. */
export interface TaskAnswer {
  readonly task: Task;
  /** Number of broadcasts there are. */
  readonly broadcasts: number;
  /** Milliseconds to the stage's cutoff; 0: none. */
  readonly remainingMs: number;
}

/** A coordinator, as one member may use it. Every method rejects with a CutlayerError. */
export interface FederationApi {
  /** @throws CutlayerError NOT_FOUND, NOT_A_MEMBER */
  manifest(): Promise<SignedManifest>;
  /** Waits for something to do. @throws CutlayerError CANCELLED */
  nextTask(request: TaskRequest, signal?: AbortSignal): Promise<TaskAnswer>;
  /** Broadcasts from `from` on, at most 256. */
  broadcasts(from: number): Promise<readonly SignedBroadcast[]>;
  /** All parameters of a version, one after the other. @throws CutlayerError NOT_FOUND */
  version(version: number): Promise<Float32Array>;
  /**
   * The stages; the same bytes may come again. @throws CutlayerError ROUND_CLOSED,
   * SUBMISSION_CONFLICT, SECAGG_REFUSED, INVALID_ARGUMENT
   */
  enlist(round: number, enlistment: Enlistment): Promise<void>;
  shareKeys(round: number, shares: readonly SealedShares[]): Promise<void>;
  /** @param payload little-endian: uint32 below 2^bits with secure aggregation, else float32 */
  submit(round: number, payload: Uint8Array): Promise<void>;
  confirm(round: number, confirmation: Confirmation): Promise<void>;
  unmask(round: number, revealed: RevealedShares): Promise<void>;
}
