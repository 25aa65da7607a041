/** What a member states when it enlists in a round, all of it inside its signature. */
import type { Advertisement } from '../secagg/messages.js';
import { sameBytes, transcriptDigest } from '../secagg/transcript.js';

/** Why a round is run: to train a new version, or to measure a candidate. */
export type RoundPurpose = 'train' | 'evaluate';

/** The part that the advertisement's signature covers through its context. */
export interface EnlistmentTerms {
  readonly purpose: RoundPurpose;
  /** Hash of the newest broadcast that the member knows, hex. */
  readonly chainHead: string;
  /** Training examples, where updates are weighted by them: public. Else 1. */
  readonly examples: number;
}

/** A member's entry into a round. */
export interface Enlistment extends EnlistmentTerms {
  /** Keys (empty without secure aggregation), context and the member's signature. */
  readonly advertisement: Advertisement;
}

/** The 32 bytes that bind an advertisement to its terms. */
export function enlistmentContext({ purpose, chainHead, examples }: EnlistmentTerms): Uint8Array {
  return transcriptDigest('cutlayer enlistment v1', purpose, chainHead, examples);
}

/** Whether an advertisement was signed for these terms. */
export function hasTerms({ advertisement, ...terms }: Enlistment): boolean {
  return sameBytes(enlistmentContext(terms), advertisement.context);
}
