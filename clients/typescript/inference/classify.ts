/** Classifies texts with a classification head. */
import { CutlayerError } from '../../../src/errors.js';
import type { Adapter } from '../adapters/adapter.js';
import { taskOf } from '../adapters/task.js';
import { unlabelledBatch } from '../data/batch.js';
import { evaluationBatches } from '../data/order.js';
import type { SplitModel } from '../model/split-model.js';
import { batchLimits } from './batch-limits.js';
import { promptIds } from './generate.js';

/** The class of a text. */
export interface Classification {
  /** The most probable class. */
  readonly label: string;
  /** Of every class, in the order of the adapter's labels. */
  readonly probabilities: readonly number[];
}

export interface ClassifyOptions {
  /** Texts at a time. Default 8. */
  readonly batchSize?: number;
  /** The task's name, for an adapter with tasks. */
  readonly task?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The class of each text, tokenized as in `{text, label}` records.
 * @throws CutlayerError INVALID_ARGUMENT (no classification head, text empty or long), CANCELLED
 */
export async function classify(
  model: SplitModel,
  adapter: Adapter,
  texts: readonly string[],
  options: ClassifyOptions = {},
): Promise<readonly Classification[]> {
  const { labels } = adapter;
  if (labels === undefined) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `classify: ${adapter.method} has no classification head; train one with classification-head`,
    );
  }
  const { tokenizer } = model.bundle;
  const longest = model.maxLength(adapter.numVirtualTokens);
  const sequences = texts.map((text, at) => {
    const ids = promptIds(tokenizer, text, model.defences);
    if (ids.length >= 1 && ids.length <= longest) return ids;
    throw new CutlayerError('INVALID_ARGUMENT', `classify: text ${at + 1}: expected 1 to ${longest} tokens, got ${ids.length}`);
  });
  const parts = await adapter.parts(taskOf(adapter, options.task));
  const results: Classification[] = [];
  const lengths = sequences.map((ids) => ids.length);
  for (const indexes of evaluationBatches(lengths, batchLimits(model, adapter, options))) {
    const batch = unlabelledBatch(indexes.map((index) => sequences[index]!));
    const { data } = await model.classLogits(batch, parts, options.signal);
    indexes.forEach((index, row) => {
      const probabilities = softmax(data.subarray(row * labels.length, (row + 1) * labels.length));
      results[index] = { label: labels[probabilities.indexOf(Math.max(...probabilities))]!, probabilities };
    });
  }
  return results;
}

function softmax(logits: Float32Array): readonly number[] {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = Array.from(logits, (logit) => Math.exp(logit - largest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
