/** Measures a model on examples: loss, perplexity, accuracy and exact match. */
import { Semaphore } from 'async-mutex';
import { CutlayerError } from '../../../src/errors.js';
import type { Adapter } from '../adapters/adapter.js';
import { taskOf } from '../adapters/task.js';
import { makeBatch, tasksApart } from '../data/batch.js';
import type { Example } from '../data/examples.js';
import { evaluationBatches } from '../data/order.js';
import type { BatchResult, SequenceSums, SplitModel } from '../model/split-model.js';
import { batchLimits } from './batch-limits.js';
import { continueAll } from './generate.js';

/**
 * Results; a share or mean over nothing is NaN, which JSON writes as null. With a classification
 * head, targets are examples and classes stand for tokens.
 */
export interface EvaluationResult {
  /** Mean negative log likelihood of the label tokens, in nats. */
  readonly loss: number;
  /** exp(loss) */
  readonly perplexity: number;
  /** Share of label tokens that are the most probable token, given the right tokens before them. */
  readonly accuracy: number;
  /** Share of examples that greedy decoding reproduces token for token (teacher-forced). */
  readonly exactMatch: number;
  /** Share of examples that are generated right (greedy, trimmed); absent unless asked for. */
  readonly generationExactMatch?: number;
  readonly targets: number;
  readonly examples: number;
  /** The same of each task by name, for adapters with tasks. */
  readonly tasks?: Readonly<Record<string, Omit<EvaluationResult, 'tasks' | 'generationExactMatch'>>>;
}

/** One example's part of an evaluation. */
export interface ExampleScore extends SequenceSums {
  /** Whether every target is right; undefined without targets. */
  readonly exact: boolean | undefined;
}

export interface EvaluateOptions {
  /** Sequences at a time. Default 8. */
  readonly batchSize?: number;
  readonly maxTokensPerBatch?: number;
  /** Batches under way at a time. Default 2. */
  readonly pipelineDepth?: number;
  /** Also generate, for at most this many examples that have a prompt. */
  readonly generateExamples?: number;
  readonly signal?: AbortSignal | undefined;
  /** Gets each example's part, by its index. */
  readonly onScore?: ((index: number, score: ExampleScore) => void) | undefined;
  /** Gets the number of examples done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** @param adapter Undefined: the bare model. @throws CutlayerError CANCELLED, or a call's error */
export async function evaluate(
  model: SplitModel,
  adapter: Adapter | undefined,
  examples: readonly Example[],
  options: EvaluateOptions = {},
): Promise<EvaluationResult> {
  if (adapter?.labels !== undefined && options.generateExamples !== undefined) {
    throw new CutlayerError('INVALID_ARGUMENT', 'evaluate: a classification adapter generates no text; leave generation out');
  }
  const limits = batchLimits(model, adapter, options);
  const pipeline = new Semaphore(Math.max(1, Math.floor(options.pipelineDepth ?? 2)));
  const groups = tasksApart(examples, adapter?.tasks);
  const lengths = examples.map(({ tokenIds }) => tokenIds.length);
  let done = 0;
  const measure = async (group: readonly number[]): Promise<Measured> => {
    const task = taskOf(adapter, examples[group[0] ?? 0]?.task);
    const parts = await adapter?.parts(task);
    const results = await Promise.all(
      evaluationBatches(lengths, limits, group).map((indexes) =>
        pipeline.runExclusive(async () => {
          options.signal?.throwIfAborted();
          const result = await model.evaluate(makeBatch(indexes.map((index) => examples[index]!)), parts, options.signal);
          indexes.forEach((index, b) => {
            options.onScore?.(index, { ...result.sequences[b]!, exact: result.exact[b] });
          });
          done += indexes.length;
          options.onProgress?.(done, examples.length);
          return result;
        }),
      ),
    );
    return { task, results, examples: group.length };
  };
  const measured: Measured[] = [];
  for (const group of groups) measured.push(await measure(group));
  const generated = options.generateExamples === undefined ? undefined : await generationExactMatch(model, adapter, examples, options);
  return {
    ...summary(measured),
    ...(generated === undefined ? {} : { generationExactMatch: generated }),
    ...(adapter?.tasks === undefined
      ? {}
      : { tasks: Object.fromEntries(measured.map((group) => [adapter.tasks![group.task!]!, summary([group])])) }),
  };
}

/** The batches of one task. */
interface Measured {
  readonly task: number | undefined;
  readonly results: readonly BatchResult[];
  readonly examples: number;
}

function summary(groups: readonly Measured[]): Omit<EvaluationResult, 'tasks' | 'generationExactMatch'> {
  const results = groups.flatMap((group) => group.results);
  const sum = (value: (result: BatchResult) => number) => results.reduce((total, result) => total + value(result), 0);
  const examples = groups.reduce((total, group) => total + group.examples, 0);
  const targets = sum((result) => result.targets);
  const loss = sum((result) => result.lossSum) / targets;
  const exact = results.flatMap((result) => result.exact.filter((right) => right !== undefined));
  return {
    loss,
    perplexity: Math.exp(loss),
    accuracy: sum((result) => result.correct) / targets,
    exactMatch: exact.filter(Boolean).length / exact.length,
    targets,
    examples,
  };
}

async function generationExactMatch(
  model: SplitModel,
  adapter: Adapter | undefined,
  examples: readonly Example[],
  options: EvaluateOptions,
): Promise<number> {
  const { tokenizer } = model.bundle;
  const asked = examples.filter((example) => example.promptLength > 0).slice(0, options.generateExamples);
  const longest = model.maxLength(adapter?.numVirtualTokens ?? 0);
  const { signal, batchSize, maxTokensPerBatch } = options;
  let right = 0;
  for (const group of tasksApart(asked, adapter?.tasks)) {
    const task = asked[group[0] ?? 0]?.task;
    const prompts = group.map((index) => {
      const { tokenIds, promptLength } = asked[index]!;
      const rest = Array.from(tokenIds.subarray(promptLength));
      const wanted = tokenizer.stopTokenIds.has(rest.at(-1) ?? -1) ? rest.slice(0, -1) : rest;
      const ids = Array.from(tokenIds.subarray(0, promptLength));
      return { ids, wanted, generated: [] as number[], options: { maxNewTokens: wanted.length + GENERATION_SLACK } };
    });
    const continued = prompts.filter(({ ids }) => ids.length < longest);
    for await (const { index, token } of continueAll(model, adapter, continued, { task, signal, batchSize, maxTokensPerBatch }))
      if (token !== undefined) continued[index]!.generated.push(token.id);
    right += prompts.filter(({ generated, wanted }) => tokenizer.decode(generated).trim() === tokenizer.decode(wanted).trim()).length;
  }
  return right / asked.length;
}

/** Tokens generated beyond the expected ones, to check that generation stops. */
const GENERATION_SLACK = 4;
