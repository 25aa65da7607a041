/** Measures a model on examples: loss, perplexity, accuracy and exact match. */
import { wireBytes } from '../../src/wire/wire-dtype.js';
import type { SpanAdapter as Adapter } from './adapters/span-adapter.js';
import { makeBatch } from './data/batch.js';
import type { Example } from './data/examples.js';
import { evaluationBatches } from './data/order.js';
import { generateGreedy } from './generate.js';
import { Pipeline } from './pipeline.js';
import type { SplitModel } from './split-model.js';

/** What was measured. */
export interface Evaluation {
  /** Mean negative log likelihood of the label tokens, in nats. */
  readonly loss: number;
  /** exp(loss) */
  readonly perplexity: number;
  /** Share of label tokens that are the most probable token, given the right tokens before them. */
  readonly accuracy: number;
  /** Share of examples all of whose label tokens are (greedy, teacher-forced): what greedy decoding reproduces token for token. */
  readonly exactMatch: number;
  /** Share of examples whose greedily generated text is the expected one, blanks at its ends aside; absent unless asked for. */
  readonly generationExactMatch?: number;
  readonly targets: number;
  readonly examples: number;
}

/** How to evaluate. */
export interface EvaluateOptions {
  /** Sequences at a time. Default 8. */
  readonly batchSize?: number;
  readonly maxTokensPerBatch?: number;
  /** Batches under way at a time. Default 2. */
  readonly pipelineDepth?: number;
  /** Also generate, for at most this many examples that have a prompt. */
  readonly generateExamples?: number;
  readonly signal?: AbortSignal | undefined;
  /** Told how many of the examples are done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Evaluates. @param adapter Undefined: the bare model. @throws CutlayerError CANCELLED, or what the calls fail with */
export async function evaluate(
  model: SplitModel,
  adapter: Adapter | undefined,
  examples: readonly Example[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { batchSize, maxTokensPerBatch } = batchLimits(model, adapter, options);
  const batches = evaluationBatches(
    examples.map((example) => example.tokenIds.length),
    { batchSize, maxTokensPerBatch },
  );
  const pipeline = new Pipeline(options.pipelineDepth ?? 2);
  let done = 0;
  const results = await Promise.all(
    batches.map((indexes) =>
      pipeline.run(async () => {
        options.signal?.throwIfAborted();
        const result = await model.evaluate(makeBatch(indexes.map((index) => examples[index]!)), adapter, options.signal);
        done += indexes.length;
        options.onProgress?.(done, examples.length);
        return result;
      }),
    ),
  );
  const sum = (value: (result: (typeof results)[number]) => number) => results.reduce((total, result) => total + value(result), 0);
  const targets = sum((result) => result.targets);
  const loss = sum((result) => result.lossSum) / Math.max(1, targets);
  const generated = options.generateExamples === undefined ? undefined : await generationExactMatch(model, adapter, examples, options);
  return {
    loss,
    perplexity: Math.exp(loss),
    accuracy: sum((result) => result.correct) / Math.max(1, targets),
    exactMatch: sum((result) => result.exact.filter(Boolean).length) / Math.max(1, examples.length),
    ...(generated === undefined ? {} : { generationExactMatch: generated }),
    targets,
    examples: examples.length,
  };
}

/** Limits of a batch: the caller's, within the gateway's. */
export function batchLimits(
  model: SplitModel,
  adapter: Pick<Adapter, 'numVirtualTokens'> | undefined,
  options: { readonly batchSize?: number | undefined; readonly maxTokensPerBatch?: number | undefined },
): { readonly batchSize: number; readonly maxTokensPerBatch: number } {
  const { wireDtype, card } = model.remote.connection;
  const { limits, dims } = card;
  // Rows of the largest message, hidden states and adapter together.
  const rowsOfMessage = Math.floor(limits.maxMessageBytes / wireBytes([1, dims.hiddenSize], wireDtype));
  const room = Math.min(limits.maxTokens, rowsOfMessage) - (adapter?.numVirtualTokens ?? 0);
  return {
    batchSize: Math.min(options.batchSize ?? 8, limits.maxBatch),
    maxTokensPerBatch: Math.min(options.maxTokensPerBatch ?? room, room),
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
  const lengths = asked.map((example) => example.tokenIds.length + GENERATION_SLACK);
  let right = 0;
  for (const indexes of evaluationBatches(lengths, batchLimits(model, adapter, options))) {
    const chosen = indexes.map((index) => asked[index]!);
    const wanted = chosen.map(({ tokenIds, promptLength }) => {
      const ids = Array.from(tokenIds.subarray(promptLength));
      return tokenizer.stopTokenIds.has(ids.at(-1) ?? -1) ? ids.slice(0, -1) : ids;
    });
    const prompts = chosen.map(({ tokenIds, promptLength }, at) => ({
      ids: Array.from(tokenIds.subarray(0, promptLength)),
      maxNewTokens: wanted[at]!.length + GENERATION_SLACK,
    }));
    const generated = await generateGreedy(model, adapter, prompts, options.signal);
    generated.forEach((ids, at) => {
      if (tokenizer.decode(ids).trim() === tokenizer.decode(wanted[at]!).trim()) right += 1;
    });
  }
  return right / Math.max(1, asked.length);
}

/** Tokens generated beyond the expected ones, to see that it stops there. */
const GENERATION_SLACK = 4;
