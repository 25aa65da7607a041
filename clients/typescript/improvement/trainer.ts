/** What improvement asks of a model: first values, training, measuring, and reading of records. */
import type { Example } from '../data/examples.js';
import type { ExampleScore } from '../inference/evaluate.js';
import type { ReadOutcome } from '../intake/record-reader.js';

/** One training run; the same call again goes on from its last checkpoint. */
export interface TrainingTask {
  /** Directory of the run. */
  readonly runDir: string;
  /** Saved adapter to begin from. */
  readonly from: string;
  readonly examples: readonly Example[];
  readonly signal: AbortSignal;
}

export interface Trainer {
  /** sha256 of the backbone that it trains against. */
  readonly backboneDigest: string;
  /** Identifies the settings: a run that began with others is begun anew. */
  readonly recipe: string;
  /** A record's examples, or why it is none. Never throws. @param source For messages. */
  read(record: string, source: string): ReadOutcome;
  /** Saves the adapter that the first run begins from. @param dir Empty directory. */
  first(dir: string): Promise<void>;
  /** @returns the saved adapter; undefined when it was cancelled. @throws CutlayerError */
  train(task: TrainingTask): Promise<string | undefined>;
  /** Scores a saved adapter, in the order of the examples. @throws CutlayerError */
  measure(adapterDir: string, examples: readonly Example[], signal: AbortSignal): Promise<readonly ExampleScore[]>;
}
