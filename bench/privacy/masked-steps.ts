/**
 * Steps of prompt tuning in which every record's cotangent goes to the gateway masked, and what the
 * gateway sees of them. Each record is a forward pass of its own.
 */
import { createAdapter } from '../../clients/typescript/adapters/registry.js';
import type { Connection } from '../../clients/typescript/connection/connect.js';
import { type LossRows, lossRows, makeBatch } from '../../clients/typescript/data/batch.js';
import type { Example } from '../../clients/typescript/data/examples.js';
import type { ClientBundle } from '../../clients/typescript/model/client-bundle.js';
import { RemoteModel } from '../../clients/typescript/model/remote-model.js';
import { rowLosses } from '../../clients/typescript/model/row-losses.js';
import { SplitModel } from '../../clients/typescript/model/split-model.js';
import { splitStep } from '../../clients/typescript/model/split-step.js';
import { AdamW } from '../../clients/typescript/optimizers/adamw.js';
import { addFloats } from '../../src/tensor/floats.js';
import { type Random, seeded } from '../../src/tensor/random.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';
import type { SeenStep } from './coefficients.js';
import { combined, masked, noiseLike } from './masks.js';

/** What is mixed with a record's own cotangent: noise, or those of other records' labels. */
export type Decoys = 'noise' | 'labels';

/** What is run. */
export interface MaskedRun {
  readonly bundle: ClientBundle;
  readonly connection: Connection;
  /** A batch for each step, and from its end on those whose labels are decoys. */
  readonly examples: readonly Example[];
  readonly batch: number;
  readonly steps: number;
  /** Cotangents that are sent for each record; 1: the record's own alone. */
  readonly sent: number;
  readonly decoys: Decoys;
  readonly virtualTokens: number;
  readonly optimizer: 'sgd' | 'adamw';
  readonly learningRate: number;
  readonly seed: number;
}

/** A record of a step, as the gateway sees it. */
export interface SeenMasked {
  /** [N, d], as it answered. */
  readonly outputs: Tensor<'float32'>;
  readonly positions: readonly number[];
  /** [N, d] each. */
  readonly sent: readonly Float32Array[];
  /** Its own: no attacker is given it. */
  readonly cotangent: Float32Array;
}

/** What a gateway sees of all steps, and the price. */
export interface SeenRun {
  readonly records: readonly SeenMasked[];
  /** Their gradients are in the order of the records and of what each has sent. */
  readonly steps: readonly SeenStep[];
  /** Calls, and bytes both ways, of a record. */
  readonly price: { readonly calls: number; readonly bytes: number };
}

/** @throws CutlayerError of the calls */
export async function runMasked(run: MaskedRun): Promise<SeenRun> {
  const { bundle, connection, batch, virtualTokens, learningRate, seed } = run;
  const model = new SplitModel(bundle, new RemoteModel(connection));
  const keyValues = () => Promise.reject(new Error('no keys and values are asked for'));
  const adapter = await createAdapter({ bundle, keyValues }, 'prompt-tuning', { virtualTokens, seed });
  const prompt = (await adapter.parts()).softPrompt!;
  const optimizer = new AdamW(prompt.data.length);
  const random = seeded(seed, 1);
  const { bytesUp, bytesDown } = connection.counters;
  const records: SeenMasked[] = [];
  const steps: SeenStep[] = [];
  for (let step = 0; step < run.steps; step++) {
    const before = prompt.data.slice();
    const gradients: Float32Array[] = [];
    const sum = new Float64Array(before.length);
    let targets = 0;
    for (let at = 0; at < batch; at++) {
      const { seen, answers, coefficients, labels } = await maskedRecord(run, model, prompt, step * batch + at, random);
      records.push(seen);
      gradients.push(...answers);
      addFloats(sum, combined(answers, coefficients));
      targets += labels;
    }
    const gradient = Float32Array.from(sum, (value) => value / targets);
    if (run.optimizer === 'adamw') optimizer.step(prompt.data, gradient, learningRate);
    else
      addFloats(
        prompt.data,
        gradient.map((value) => -learningRate * value),
      );
    steps.push({ before, after: prompt.data.slice(), gradients, learningRate });
  }
  const bytes = connection.counters.bytesUp + connection.counters.bytesDown - bytesUp - bytesDown;
  return { records, steps, price: { calls: 2 * run.sent, bytes: bytes / records.length } };
}

async function maskedRecord(run: MaskedRun, model: SplitModel, prompt: Tensor<'float32'>, at: number, random: Random) {
  const { bundle, examples, sent: count, decoys } = run;
  const batch = makeBatch([examples[at]!]);
  const targets = lossRows(batch, prompt.shape[0]!);
  const { positions } = targets;
  const parts = { softPrompt: { ...prompt, data: prompt.data.slice() } };
  const forward = () => splitStep(model, { batch, parts, positions, training: true });
  const step = await forward();
  const d = bundle.dims.hiddenSize;
  const cotangentOf = async (labels: LossRows['labels']): Promise<Float32Array> =>
    (await rowLosses(bundle, step.rows, { ...targets, labels }, { chunkRows: labels.length, wantCotangent: true })).cotangent!.data;
  const own = await cotangentOf(targets.labels);
  const others: Float32Array[] = [];
  for (let other = 1; other < count; other++)
    others.push(decoys === 'noise' ? noiseLike(own, d, random) : await cotangentOf(labelsOfAnother(run, targets.labels, at, other)));
  const { sent, coefficients } = masked(own, others, random);
  const answers: Float32Array[] = [];
  // A gateway takes one cotangent of a step, unless its vendor allows more.
  for (const [call, cotangent] of sent.entries()) {
    const { backward } = call === 0 ? step : await forward();
    answers.push((await backward(f32(step.rows.shape, cotangent))).softPrompt!.data);
  }
  const seen: SeenMasked = { outputs: step.rows, positions, sent, cotangent: own };
  return { seen, answers, coefficients, labels: targets.labels.length };
}

/** The labels of another record, as many: a decoy is as likely as an answer can be. */
function labelsOfAnother({ examples, batch, steps }: MaskedRun, own: BigInt64Array, at: number, other: number): BigInt64Array {
  const rest = examples.length - batch * steps;
  const { tokenIds, labelMask } = examples[batch * steps + ((at * 31 + other) % rest)]!;
  const labels = [...tokenIds].filter((_, token) => labelMask[token] === 1);
  return own.map((_, row) => BigInt(labels[row % labels.length]!));
}
