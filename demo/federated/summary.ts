/** The content of the federated demo's `summary.json`; tables and page come from it. */
import type { Holding } from '../summary.js';
import type { FederatedSettings, SiteName } from './settings.js';

/** Shares of exact answers. */
export interface Score {
  readonly common: number;
  readonly own: Readonly<Record<SiteName, number>>;
}

/** On the common test, after a round or its number of steps. */
export interface ScorePoint {
  readonly round: number;
  readonly exactMatch: number;
}

/** A released round. */
export interface RoundRecord {
  readonly round: number;
  readonly version: number;
  readonly participants: readonly string[];
}

/** What was searched for in the coordinator's files, and what was found. */
export interface SearchRecord {
  /** Updates searched for, each as float32 and in fixed point. */
  readonly updates: number;
  readonly windows: number;
  readonly files: number;
  readonly bytes: number;
  /** Copies of the files at different times. */
  readonly snapshots: number;
  readonly matches: readonly string[];
  /** A planted update was found, so the search works. */
  readonly control: boolean;
  /**
   * Largest difference between a version and the mean of its updates, in a round with all sites. A
   * small one shows that the updates are the real ones.
   */
  readonly meanError: number;
}

export interface FederatedSummary {
  readonly settings: Pick<FederatedSettings, 'virtualTokens' | 'rounds' | 'steps' | 'batch' | 'lr' | 'lost'>;
  readonly federation: string;
  readonly model: string;
  readonly seconds: number;
  /** Rows of each site, of each site's own test, and of the common one. */
  readonly rows: { readonly train: number; readonly ownTest: number; readonly test: number };
  readonly before: number;
  readonly local: Readonly<Record<SiteName, Score>>;
  readonly federated: Score;
  readonly pooled: Score;
  readonly curves: Readonly<Record<string, readonly ScorePoint[]>>;
  readonly rounds: readonly RoundRecord[];
  readonly aborted: number;
  /** Round in which the site was killed, after sending its shares, and the next one it was in. */
  readonly lost: { readonly site: SiteName; readonly round: number; readonly back: number | null };
  /** Payloads of rounds, all sites together. */
  readonly bytes: { readonly toCoordinator: number; readonly fromCoordinator: number };
  readonly search: SearchRecord;
  readonly holdings: readonly Holding[];
}
