/** The data of a participant, which may grow: files, a list in memory, or a simulation's split. */
import type { Broadcast } from '../../../../src/protocol/federation/chain.js';
import type { Example } from '../../data/examples.js';

/** Numbers about the data, without a word of it. */
export interface DataCounts {
  readonly training: number;
  readonly heldOut: number;
  /** Training examples that came after those of the newest aggregate this member has a part in. */
  readonly fresh: number;
  /** Lines that are no examples. */
  readonly rejected: number;
  /** Lines whose content was there before. */
  readonly duplicates: number;
  readonly files: number;
  /** Files whose last line has no end yet: it is read when it has one. */
  readonly incomplete: number;
  /** The bound on examples is reached: nothing more is read. */
  readonly full: boolean;
}

/** The examples of one train round. */
export interface RoundExamples {
  /** In the order of arrival. Empty: there is nothing to train on, so do not enlist. */
  readonly examples: readonly Example[];
  /** Changes with the examples: a half-trained round with another digest starts again. */
  readonly digest: string;
  /** How many of them came after those that the version trained from has seen. */
  readonly fresh: number;
  /** How many of them are earlier ones, trained on again against forgetting. */
  readonly rehearsed: number;
}

/** Held-out examples, in the two slices of an evaluate round. */
export interface HeldOut {
  /** All of them. Empty: nothing can be measured here. */
  readonly current: readonly Example[];
  /** Those arrived when this member last trained for the promoted version; when none had: all. */
  readonly earlier: readonly Example[];
}

/** A participant's data. */
export interface LocalData {
  /**
   * Takes in what has arrived. Bad lines and vanished files are counted, not thrown.
   * @throws CutlayerError IO_ERROR, CANCELLED
   */
  refresh(signal?: AbortSignal): Promise<void>;
  readonly counts: DataCounts;
  /** Whether at least this many fresh training examples wait for a round. */
  newExamplesReady(wanted: number): boolean;
  /**
   * The examples of a round, fixed durably by the first call. After a crash they are the same in
   * the same order, unless a file was taken away.
   * @param version The one that the round trains from.
   */
  roundExamples(round: number, version: number): Promise<RoundExamples>;
  /** @param promoted Version that a candidate is compared with. */
  heldOut(promoted: number): HeldOut;
  /** Notes verified broadcasts in order; a repeated one changes nothing. @param member Its name. */
  observe(broadcast: Broadcast, member: string): Promise<void>;
  close(): Promise<void>;
}

/** Something that happened to the data. No text of any example is in it. */
export type DataEvent =
  | { readonly kind: 'added'; readonly file: string; readonly examples: number }
  /** `line`: the first of them. The reasons are in the list of rejected lines. */
  | { readonly kind: 'rejected'; readonly file: string; readonly lines: number; readonly line: number }
  | { readonly kind: 'replaced' | 'removed' | 'incomplete' | 'unreadable'; readonly file: string }
  | { readonly kind: 'full'; readonly examples: number };
