/**
 * The state of a federation between two events: names, numbers and deadlines, never a payload. It
 * is plain JSON, so that the store keeps it and a restarted coordinator resumes from it.
 */
import type { RoundPurpose } from '../../protocol/federation/enlistment.js';
import type { RoundStage } from '../../protocol/federation/federation-api.js';
import type { FederationState, RoundEnding } from '../coordinator-api.js';
import { noWorkTimes, type WorkTimes } from './work-time.js';

/** The stages that members answer, and the coordinator's own, which makes the aggregate. */
export type CoordinatorStage = RoundStage | 'releasing';

/** A member in a round. */
export interface EnlistedMember {
  readonly name: string;
  /** As the member stated, see `EnlistmentTerms`. */
  readonly examples: number;
}

/** The round under way. */
export interface RoundState {
  readonly round: number;
  readonly purpose: RoundPurpose;
  readonly stage: CoordinatorStage;
  /** Beginning of the stage, ms since 1970. */
  readonly began: number;
  /** Newest answer of the stage, ms since 1970; null before the first. */
  readonly answeredAt: number | null;
  /** End of the stage, ms since 1970; null while releasing. */
  readonly deadline: number | null;
  /** The version to train from, or to measure. */
  readonly version: number;
  readonly promoted: number;
  /** Of a train round with differential privacy. */
  readonly clipNorm: number | null;
  /** The members drawn for it; null: all. */
  readonly drawn: readonly string[] | null;
  /** In order of arrival. */
  readonly enlisted: readonly EnlistedMember[];
  /** Members that answered each later stage, sorted. */
  readonly sharers: readonly string[];
  readonly submitted: readonly string[];
  readonly confirmed: readonly string[];
  readonly unmasked: readonly string[];
  /** Members that will not answer the present stage, sorted. */
  readonly gone: readonly string[];
}

/** A federation. */
export interface FederationMemory {
  readonly format: 3;
  readonly status: FederationState;
  /** Reason of the status, as text. */
  readonly reason: string;
  readonly round: RoundState | null;
  /** Number of the newest round; 0 before the first. */
  readonly rounds: number;
  /** Number of the founder's newest order; 0 before the first. */
  readonly orders: number;
  readonly promoted: number;
  /** The version that waits for its evaluation. */
  readonly candidate: number | null;
  /** Number of the newest version. */
  readonly newest: number;
  /** Of the next train round. */
  readonly clipNorm: number | null;
  /** Released train rounds, and rounds without a result. */
  readonly released: number;
  readonly aborted: number;
  /** Aborted rounds in a row. */
  readonly failures: number;
  /** The next round begins no earlier, ms since 1970. */
  readonly notBefore: number;
  /** When the newest train round began; null before the first. */
  readonly trainedAt: number | null;
  /** Members that have reported enough new examples, sorted. */
  readonly ready: readonly string[];
  /** Newest first. */
  readonly recent: readonly RoundEnding[];
  /** How long members worked in earlier rounds. */
  readonly workTimes: WorkTimes;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A state as an earlier version wrote it: without times of stages, and endings without members. */
type Format2 = Omit<FederationMemory, 'format' | 'round' | 'recent' | 'workTimes'> & {
  readonly format: 2;
  readonly round: Omit<RoundState, 'began' | 'answeredAt'> | null;
  readonly recent: readonly Omit<RoundEnding, 'cohort' | 'lost'>[];
};

/** A stored state, brought to this format; undefined: another version has written it. */
export function currentMemory(stored: FederationMemory | Format2, now: number): FederationMemory | undefined {
  if (stored.format === 3) return stored;
  if (stored.format !== 2) return undefined;
  const { round, recent, ...state } = stored;
  return {
    ...state,
    format: 3,
    round: round && { ...round, began: now, answeredAt: null },
    recent: recent.map((ending) => ({ ...ending, cohort: 0, lost: [] })),
    workTimes: noWorkTimes,
  };
}

/** Number of endings that are kept. */
export const RECENT_ENDINGS = 20;

/** A federation that has not been started. */
export function newFederation(clipNorm: number | null): FederationMemory {
  return {
    format: 3,
    status: 'created',
    reason: 'it has not been started',
    round: null,
    rounds: 0,
    orders: 0,
    promoted: 0,
    candidate: null,
    newest: 0,
    clipNorm,
    released: 0,
    aborted: 0,
    failures: 0,
    notBefore: 0,
    trainedAt: null,
    ready: [],
    recent: [],
    workTimes: noWorkTimes,
    bytesIn: 0,
    bytesOut: 0,
  };
}
