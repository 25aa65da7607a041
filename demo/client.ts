/**
 * The client's process of the demo. It has the client bundle, the data and a token, but no part of
 * the backbone. It measures the bare model, trains a soft prompt through the gateway, measures
 * again and writes a JSON file. It is also an example of the library's third layer.
 */
import { readFileSync, rmSync } from 'node:fs';
import { progressReporter } from '../clients/typescript/cli/progress.js';
import {
  type Adapter,
  ClientBundle,
  connect,
  type Example,
  epochBatches,
  evaluate,
  generate,
  loadAdapter,
  loadExamples,
  lossRows,
  makeBatch,
  RemoteModel,
  SoftPrompt,
  SplitModel,
  schedule,
  type TrainEvent,
  TrainingClient,
  train,
} from '../clients/typescript/index.js';
import { writeFileAtomic } from '../src/files/atomic-file.js';
import type { DemoSettings } from './settings.js';
import { linesOf, type Splits } from './splits.js';
import type { CurvePoint, Sample, Score } from './summary.js';

/** The client's settings, as a JSON file. */
export interface ClientTask {
  readonly settings: DemoSettings;
  readonly splits: Splits;
  readonly bundleDir: string;
  readonly gateway: string;
  readonly caFile: string;
  readonly tokenFile: string;
  readonly runDir: string;
}

/** The client's result, as a JSON file. */
export interface ClientResult {
  readonly before: Score;
  readonly after: Score;
  readonly steps: number;
  readonly seconds: number;
  readonly tokensPerSecond: number;
  readonly bytesPerStep: number;
  readonly bytesPerStepFormula: number;
  readonly trained: number;
  readonly samples: readonly Sample[];
  readonly curve: readonly CurvePoint[];
}

/** Test prompts shown before and after. */
const SAMPLES = 3;
/** Steps between validations. */
const EVAL_EVERY = 40;
/** Most padded rows of a micro-batch. */
const MAX_TOKENS = 8192;
const BYTES_PER_VALUE = { f32: 4, f16: 2, bf16: 2, int8: 1 } as const;

async function main(taskFile: string, resultFile: string): Promise<void> {
  const task = JSON.parse(readFileSync(taskFile, 'utf8')) as ClientTask;
  const { settings } = task;
  const progress = progressReporter();
  const bundle = await ClientBundle.open(task.bundleDir);
  const connection = await connect({
    address: task.gateway,
    ca: task.caFile,
    tokenFile: task.tokenFile,
    wireDtype: settings.wire,
    onRetry: progress.onRetry,
  });
  try {
    const model = new SplitModel(bundle, new RemoteModel(connection));
    const maxLength = model.maxLength(settings.virtualTokens);
    const read = (path: string): Promise<readonly Example[]> => loadExamples(path, bundle.tokenizer, { maxLength });
    const [examples, validation, test] = await Promise.all([read(task.splits.train), read(task.splits.validation), read(task.splits.test)]);
    const prompts = samplePrompts(task.splits.test);
    const batching = { batchSize: settings.batch, maxTokensPerBatch: MAX_TOKENS };

    say('measuring the bare model on the test split');
    const before = await evaluate(model, undefined, test, batching);
    const samplesBefore = await answers(model, undefined, prompts);

    say(`training ${settings.virtualTokens} virtual tokens on ${examples.length} examples`);
    rmSync(task.runDir, { recursive: true, force: true });
    const adapter = await SoftPrompt.create(bundle, settings.virtualTokens, { init: 'SAMPLE_VOCAB', seed: settings.seed });
    const client = new TrainingClient(bundle, connection, adapter, {
      learningRate: settings.lr,
      schedule: schedule('cosine', { warmupSteps: Math.round(settings.steps / 20), totalSteps: settings.steps }),
      maxGradNorm: 1,
    });
    const curve = new Map<number, CurvePoint>();
    const summary = await train(client, {
      outDir: task.runDir,
      examples,
      validation,
      totalSteps: settings.steps,
      seed: settings.seed,
      evalEvery: EVAL_EVERY,
      ...batching,
      onEvent(event) {
        progress.onEvent(event);
        record(curve, event);
      },
    });
    progress.stop();
    if (summary.adapterDir === undefined) throw new Error('training was interrupted');

    say('measuring with the soft prompt');
    const best = await loadAdapter(summary.adapterDir, { bundle });
    const after = await evaluate(model, best, test, batching);
    const samplesAfter = await answers(model, best, prompts);
    const result: ClientResult = {
      before: { loss: before.loss, accuracy: before.exactMatch },
      after: { loss: after.loss, accuracy: after.exactMatch },
      steps: summary.step,
      seconds: summary.seconds,
      tokensPerSecond: summary.tokens / summary.seconds,
      bytesPerStep: (summary.bytesUp + summary.bytesDown) / summary.step,
      bytesPerStepFormula: formulaBytes(examples, summary.step, bundle.dims.hiddenSize, settings),
      trained: adapter.parameters[0].value.data.length,
      samples: prompts.map(({ prompt, expected }, i) => ({ prompt, expected, before: samplesBefore[i]!, after: samplesAfter[i]! })),
      curve: [...curve.values()],
    };
    await writeFileAtomic(resultFile, `${JSON.stringify(result, null, 2)}\n`);
  } finally {
    progress.stop();
    connection.close();
    await bundle.close();
  }
}

function record(curve: Map<number, CurvePoint>, event: TrainEvent): void {
  if (event.type === 'step') curve.set(event.step, { step: event.step, loss: event.loss });
  if (event.type === 'validation') {
    const point = curve.get(event.step);
    if (point !== undefined) curve.set(event.step, { ...point, validationLoss: event.evaluation.loss });
  }
}

/** The first rows of the test split that have a prompt and a completion. */
function samplePrompts(path: string): { readonly prompt: string; readonly expected: string }[] {
  return linesOf(path)
    .map((line) => JSON.parse(line) as { prompt?: string; completion?: string })
    .flatMap(({ prompt, completion }) => (prompt === undefined || completion === undefined ? [] : [{ prompt, expected: completion }]))
    .slice(0, SAMPLES);
}

async function answers(
  model: SplitModel,
  adapter: Adapter | undefined,
  prompts: readonly { readonly prompt: string }[],
): Promise<string[]> {
  const texts: string[] = [];
  for (const { prompt } of prompts) {
    let text = '';
    for await (const piece of generate(model, adapter, prompt, { maxNewTokens: 32 })) text += piece;
    texts.push(text);
  }
  return texts;
}

/** Mean bytes of a step: ((B·S + P)·d + N·d) up and (N·d + P·d) down, from the data alone. */
function formulaBytes(examples: readonly Example[], steps: number, hiddenSize: number, settings: DemoSettings): number {
  const { batch: batchSize, virtualTokens: P, seed, wire } = settings;
  const lengths = examples.map((example) => example.tokenIds.length);
  let values = 0;
  for (let done = 0, epoch = 0; done < steps; epoch++) {
    for (const indexes of epochBatches(lengths, epoch, { batchSize, maxTokensPerBatch: MAX_TOKENS, seed, shuffle: true })) {
      if (done++ === steps) break;
      const batch = makeBatch(indexes.map((index) => examples[index]!));
      const rows = batch.tokenIds.data.length;
      const wanted = lossRows(batch, P).positions.length;
      values += (rows + P + wanted + wanted + P) * hiddenSize;
    }
  }
  return (values * BYTES_PER_VALUE[wire]) / steps;
}

function say(text: string): void {
  process.stderr.write(`client: ${text}\n`);
}

const [taskFile, resultFile] = process.argv.slice(2);
if (taskFile === undefined || resultFile === undefined) throw new Error('usage: client.js TASK.json RESULT.json');
await main(taskFile, resultFile);
