/**
 * What every attacker is: what it knows, when it can run, what it infers, and how that is scored.
 */
import type { WireDType } from '../../../src/protocol/wire/wire-dtype.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { StepParts } from '../adapters/adapter.js';
import type { LearnedMap } from '../adapters/learned-map.js';
import type { ClientBundle } from '../model/client-bundle.js';
import type { Candidate } from './candidates.js';
import type { Measure } from './metrics.js';
import type { SeenRecord } from './seen.js';
import type { Truth } from './truth.js';

/** The names of the suite, in the order in which they run. */
export const attackerIds = ['A0', 'A1', 'A2', 'A3', 'A3u', 'A4', 'A5', 'A6', 'A7', 'A7s', 'A8'] as const;

/** One of {@link attackerIds}. */
export type AttackerId = (typeof attackerIds)[number];

/** What an adversarial vendor has: its model, and what has crossed. */
export interface VendorView {
  /** Embedding, held blocks and head, as the vendor made them. */
  readonly bundle: ClientBundle;
  readonly wire: WireDType;
  /** Records that have crossed, planted ones last. */
  readonly records: number;
  /** Whether a gateway has answered. */
  readonly answered: boolean;
  record(index: number): Promise<SeenRecord>;
  /** Tokens of a record that are labels; of a class the place after the last token. */
  labelled(index: number): readonly number[];
  /** Texts of the same kind that are not audited, as tokens. */
  readonly others: readonly (readonly number[])[];
  /** Of everything random. */
  readonly seed: number;
  /** The rows [S, d] that cross for a text, under the same defences with another secret. */
  imitate(tokens: readonly number[], signal?: AbortSignal): Promise<Tensor<'float32'>>;
  /** The adapter's values, where an attacker is given them: the worst case. */
  parts(index: number): Promise<StepParts>;
  /** How rows were changed before they were sent, where a learned transform is on: its values. */
  readonly rowTransform?: LearnedMap | undefined;
  /** The adapter is new: no record has trained it. */
  readonly fresh: boolean;
  /** Known records, of which some have trained the adapter; none: nothing is asked. */
  readonly candidates: readonly Candidate[];
}

/** What an attack is run with. */
export interface AttackRun {
  readonly signal?: AbortSignal | undefined;
  /** Tells how far it is. */
  progress(done: number, total: number): void;
  /** A part's result: an interrupted audit's, or that of `work`, which is kept. */
  kept<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
}

/** An attacker whose guess is JSON. */
export interface Attacker<Guess = unknown> {
  readonly id: AttackerId;
  readonly title: string;
  /** What it is given beside the trace. */
  readonly knows: string;
  /** Why it cannot run here; undefined: it can. */
  skipped(view: VendorView): Promise<string | undefined>;
  attack(view: VendorView, run: AttackRun): Promise<Guess>;
  score(guess: Guess, truth: Truth): readonly Measure[];
  /** One sentence on what the figures mean. */
  readonly says: string;
}

/** States an attacker; its guess's type stays between `attack` and `score`. */
export function attacker<Guess>(spec: Attacker<Guess>): Attacker {
  return spec as Attacker; // the suite hands `score` what `attack` gave
}
