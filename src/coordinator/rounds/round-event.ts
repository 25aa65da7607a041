/** The events of a federation, and the writes that they require. */

import type { RoundPurpose } from '../../protocol/federation/enlistment.js';
import type { RoundStage } from '../../protocol/federation/federation-api.js';
import type { FounderOrder } from '../../protocol/federation/founder-order.js';
import type { Comparison } from '../../protocol/federation/promotion.js';

/** A stage after enlisting. */
export type AnswerStage = Exclude<RoundStage, 'enlisting'>;

/** An event; the caller has checked signatures, orders, payload and roster. */
export type RoundEvent =
  | { readonly kind: 'start'; readonly order: FounderOrder }
  | { readonly kind: 'pause'; readonly order: FounderOrder }
  | { readonly kind: 'finish'; readonly reason: string; readonly order: FounderOrder }
  | { readonly kind: 'rollback'; readonly version: number; readonly order: FounderOrder }
  /** The present stage does not wait for a member; see `skipRefusal`. */
  | { readonly kind: 'skip'; readonly round: number; readonly member: string; readonly order: FounderOrder }
  /** Time has passed. */
  | { readonly kind: 'tick' }
  /** A member has, or no longer has, enough new examples. */
  | { readonly kind: 'ready'; readonly member: string; readonly ready: boolean }
  /** A round is due. `drawn`: by sampling; `refusal`: why the privacy budget forbids it. */
  | { readonly kind: 'begin'; readonly purpose: RoundPurpose; readonly drawn: readonly string[] | null; readonly refusal: string | null }
  | { readonly kind: 'enlisted'; readonly round: number; readonly member: string; readonly examples: number }
  | { readonly kind: 'answered'; readonly round: number; readonly stage: AnswerStage; readonly member: string }
  /** A member will not answer the present stage. */
  | { readonly kind: 'gaveUp'; readonly round: number; readonly stage: RoundStage; readonly member: string }
  /** The aggregate of a train round is made; `clipNorm`: of the next round. */
  | { readonly kind: 'released'; readonly round: number; readonly clipNorm: number | null }
  /** The metrics of an evaluate round are known. */
  | { readonly kind: 'evaluated'; readonly round: number; readonly better: boolean; readonly evaluation: Comparison }
  /** The round can give no result. */
  | { readonly kind: 'failed'; readonly round: number; readonly reason: string };

/** A write that belongs to the new state. */
export type RoundEffect =
  /** From here on the round's sum can become known. */
  | { readonly kind: 'spend'; readonly round: number }
  /** The round is over: its messages and sums are deleted. */
  | { readonly kind: 'ended'; readonly round: number }
  | { readonly kind: 'promote'; readonly version: number; readonly previous: number; readonly round: number | null }
  | { readonly kind: 'reject'; readonly version: number; readonly round: number | null }
  | { readonly kind: 'rolledBack'; readonly version: number; readonly from: number; readonly order: FounderOrder }
  /** `order` null: the rounds or the privacy budget are at their end. */
  | { readonly kind: 'finished'; readonly reason: string; readonly order: FounderOrder | null };

/** A new state and its effects. */
export interface Transition<State> {
  readonly state: State;
  readonly effects: readonly RoundEffect[];
}
