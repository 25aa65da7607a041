/** The content of `summary.json`; the report page and the printed tables come from it. */
import type { ServedAnswer } from './served-answer.js';

/**
 * Loss is mean negative log-likelihood per label token (nats) on the test split. Accuracy is the
 * share of exact greedy completions.
 */
export interface Score {
  readonly loss: number;
  readonly accuracy: number;
}

/** One test prompt with the model's answers before and after training. */
export interface Sample {
  readonly prompt: string;
  readonly expected: string;
  readonly before: string;
  readonly after: string;
}

/** A point of the training curve. */
export interface CurvePoint {
  readonly step: number;
  readonly loss: number;
  readonly validationLoss?: number;
}

/** What one party holds: number of parameters, files and bytes. */
export interface Holding {
  readonly party: string;
  readonly parameters: number;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

/** The whole result of one demo run. */
export interface DemoSummary {
  readonly before: Score;
  readonly after: Score;
  /** Accuracy without learning the task; null if the data do not state it. */
  readonly chance: number | null;
  readonly steps: number;
  /** Wall-clock seconds of training alone. */
  readonly seconds: number;
  readonly tokensPerSecond: number;
  /** Mean tensor payload per optimizer step, both directions. */
  readonly bytesPerStep: number;
  /** The same by the formula: (B·S + P)·d + N·d up and N·d + P·d down, times the dtype's size. */
  readonly bytesPerStepFormula: number;
  readonly parameters: { readonly client: number; readonly vendor: number; readonly trained: number };
  readonly model: string;
  readonly adapter: string;
  readonly holdings: readonly Holding[];
  readonly samples: readonly Sample[];
  readonly curve: readonly CurvePoint[];
  /** One request to the local endpoint through OpenAI's client. */
  readonly serving: ServedAnswer;
}
