/** A defence that changes rows before they are sent, and its vjp. */
import type { Defence } from './defence.js';
import type { LearnedPass } from './learned-pass.js';

/** Where rows are changed: as they leave the embedding, or as they enter the backbone. */
export type RowPlace = 'embedding' | 'cut';

/** The last rows of one text, with what says which text it is. */
export interface TextRows {
  /** [rows, hiddenSize], changed in place. */
  readonly rows: Float32Array;
  readonly hiddenSize: number;
  /** All tokens of the text up to the last row's. */
  readonly tokens: readonly number[];
  /** Tells equal texts apart; empty where they count as one. */
  readonly record: string;
  /** The adapter's own transform of rows at the cut, where it has one. */
  readonly learned?: LearnedPass | undefined;
}

/** The vjp of a change: a cotangent [rows, hiddenSize] of the changed rows, changed in place. */
export type PullBack = (cotangent: Float32Array) => void;

export interface RowStage extends Defence {
  readonly place: RowPlace;
  /** Whether equal beginnings of two records must have noise of their own, as a guarantee needs. */
  readonly perRecord: boolean;
  /** Of a transform that is trained with the adapter: the weight of its own term in the loss. */
  readonly trained?: { readonly strength: number };
  /** @returns the vjp; undefined: the cotangent passes unchanged, as that of added noise does */
  apply(text: TextRows): PullBack | undefined;
}
