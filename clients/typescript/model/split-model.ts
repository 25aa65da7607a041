/**
 * The whole model for the client: its bottom, the vendor's backbone, its top, head and loss, with
 * an adapter's parts. Composition and vjp are exact: `top(backbone(bottom(x))) == full(x)`.
 */
import { CutlayerError } from '../../../src/errors.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { StepCotangents, StepParts } from '../adapters/adapter.js';
import { checkBundle } from '../connection/served-model.js';
import { type Batch, classRows, lastRows, leadingRows, lossRows, tokenRowsOf } from '../data/batch.js';
import { savedRows, shareText } from '../data/shared-text.js';
import { type Defences, noDefences } from '../defences/defences.js';
import type { ClientBundle } from './client-bundle.js';
import type { DraftModel } from './draft-model.js';
import { wholeKeyValues } from './key-values.js';
import type { RemoteModel } from './remote-model.js';
import { rowLosses } from './row-losses.js';
import { promptRowsOf, splitStep } from './split-step.js';

/** One sequence's part of a batch's sums. */
export type SequenceSums = Readonly<Record<'lossSum' | 'targets' | 'correct', number>>;

/** A batch's loss and counts. */
export interface BatchResult {
  /** Sum of the negative log likelihoods of all targets, in nats. */
  readonly lossSum: number;
  /** Targets that carry loss: label tokens, or with a classifier the examples. */
  readonly targets: number;
  /** Targets whose label is the most probable token or class. */
  readonly correct: number;
  /** For each sequence: whether every one of its targets is right; undefined without targets. */
  readonly exact: readonly (boolean | undefined)[];
  /** For each sequence: its part of the sums. */
  readonly sequences: readonly SequenceSums[];
  /** Rows that went through the backbone. */
  readonly rows: number;
}

/** A training step's result, with the cotangents of `lossSum` for every part of the step. */
export interface GradientResult extends BatchResult {
  readonly cotangents: StepCotangents;
}

/** Most bytes of logits that one run of the head or the loss makes. */
const LOGIT_BYTES = 64 * 1024 * 1024;

/** Client bundle and backbone together. */
export class SplitModel {
  readonly bundle: ClientBundle;
  readonly remote: RemoteModel;
  /** Drafts tokens of texts that are generated. */
  readonly drafter: DraftModel | undefined;
  /** What is done to texts' rows before they are sent. */
  readonly defences: Defences;

  /** @throws CutlayerError BACKBONE_MISMATCH when the bundle belongs to another backbone */
  constructor(bundle: ClientBundle, remote: RemoteModel, drafter?: DraftModel, defences: Defences = noDefences) {
    checkBundle(remote.connection.card, bundle.identity, remote.connection.address);
    this.bundle = bundle;
    this.remote = remote;
    this.drafter = drafter;
    this.defences = defences;
  }

  /** Longest sequence of real tokens with this many virtual tokens before it. */
  maxLength(numVirtualTokens: number): number {
    return this.remote.connection.card.dims.maxPositions - numVirtualTokens;
  }

  /** Loss of a batch, without a gradient. @param parts An adapter's; none: the bare model. */
  async evaluate(batch: Batch, parts: StepParts = {}, signal?: AbortSignal): Promise<BatchResult> {
    const { result } = await this.#loss(batch, parts, false, signal);
    return result;
  }

  /**
   * Loss and gradient, summed over targets: divide by the targets of all batches of a step.
   * @throws CutlayerError DIVERGED when the loss is not finite
   */
  async gradient(batch: Batch, parts: StepParts, signal?: AbortSignal): Promise<GradientResult> {
    const { result, backward } = await this.#loss(batch, parts, true, signal);
    if (!Number.isFinite(result.lossSum)) {
      throw new CutlayerError('DIVERGED', `the loss is ${result.lossSum}; lower the learning rate or clip the gradient more tightly`);
    }
    return { ...result, cotangents: backward === undefined ? {} : await backward() };
  }

  /**
   * Keys and values of the whole model for some tokens: [layers, 2, tokens, numKvHeads, headDim].
   * @throws CutlayerError PREFIX_INIT_REFUSED by the vendor's policy
   */
  keyValues(tokenIds: readonly number[], signal?: AbortSignal): Promise<Tensor<'float32'>> {
    return wholeKeyValues(this.bundle, this.remote, tokenIds, signal);
  }

  /** Next logits [sequences, vocabSize]. @throws CutlayerError INVALID_ARGUMENT (classifier) */
  async nextLogits(batch: Batch, parts: StepParts = {}, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    if (parts.classifier !== undefined) {
      throw new CutlayerError('INVALID_ARGUMENT', 'a classification head gives logits of classes, not of tokens; call classLogits');
    }
    return this.#lastLogits(batch, parts, this.bundle.vocabSize, signal);
  }

  /** Logits [sequences, classes]. @throws CutlayerError INVALID_ARGUMENT without a classifier */
  async classLogits(batch: Batch, parts: StepParts, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    if (parts.classifier === undefined) {
      throw new CutlayerError('INVALID_ARGUMENT', 'the adapter has no classification head; train one with the method classification-head');
    }
    return this.#lastLogits(batch, parts, parts.classifier.shape[0]!, signal);
  }

  /**
   * Hidden states after the last block, before final norm and head.
   * @param which The last token's row of each sequence, or every token's, in order.
   * @returns [rows, hiddenSize]
   */
  async hiddenStates(batch: Batch, parts: StepParts, which: 'last' | 'all', signal?: AbortSignal): Promise<Tensor<'float32'>> {
    const padded = this.#padded(batch, parts);
    const { positions } = (which === 'last' ? lastRows : tokenRowsOf)(padded, promptRowsOf(parts));
    return (await splitStep(this, { batch: padded, parts, positions, training: false, signal })).rows;
  }

  /** Logits of some rows at a time, so that their memory is bounded. @param rows [rows, d] */
  async *logitsOf(rows: Tensor<'float32'>, parts: StepParts, signal?: AbortSignal): AsyncGenerator<Float32Array> {
    const [count, d] = rows.shape as [number, number];
    const { vocabSize } = this.bundle;
    const chunkRows = chunkOf(vocabSize);
    for (let at = 0; at < count; at += chunkRows) {
      const end = Math.min(count, at + chunkRows);
      const { data } = await this.bundle.logits(f32([end - at, d], rows.data.slice(at * d, end * d)), parts, signal);
      for (let row = 0; row < end - at; row++) yield data.subarray(row * vocabSize, (row + 1) * vocabSize);
    }
  }

  /**
   * A batch as it is sent: text that all its sequences begin with goes through the model once. A
   * prefix's keys and values have no rows before them, so its text is not shared. Neither is text
   * whose length defences hide, or whose rows they change apart.
   */
  sharing(batch: Batch, parts: StepParts): Batch {
    if (this.defences.pads) return this.#padded(batch, parts);
    const { shareText: wanted, card } = this.remote.connection;
    const { adapters, limits, protection } = card;
    // A vendor that bounds a soft prompt's rows has not thought of text among them.
    if (
      !wanted ||
      this.defences.apart ||
      parts.prefix !== undefined ||
      !adapters.includes('softPrompt') ||
      protection.maxPromptNorm !== undefined
    )
      return batch;
    return shareText(batch, limits.maxVirtualTokens - promptRowsOf(parts));
  }

  #padded(batch: Batch, { softPrompt, prefix }: StepParts): Batch {
    return this.defences.pad(batch, this.maxLength(softPrompt?.shape[0] ?? prefix?.shape[2] ?? 0));
  }

  async #lastLogits(whole: Batch, parts: StepParts, width: number, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    const batch = this.sharing(whole, parts);
    const { positions } = lastRows(batch, promptRowsOf(parts));
    const { rows } = await splitStep(this, { batch, parts, positions, training: false, signal });
    const [count, d] = rows.shape as [number, number];
    const logits = new Float32Array(count * width);
    const chunkRows = chunkOf(width);
    for (let at = 0; at < count; at += chunkRows) {
      const end = Math.min(count, at + chunkRows);
      const chunk = await this.bundle.logits(f32([end - at, d], rows.data.slice(at * d, end * d)), parts, signal);
      logits.set(chunk.data, at * width);
    }
    return f32([count, width], logits);
  }

  async #loss(whole: Batch, parts: StepParts, training: boolean, signal?: AbortSignal) {
    const batch = this.sharing(whole, parts);
    const [count, sequence] = batch.tokenIds.shape as [number, number];
    const promptRows = promptRowsOf(parts);
    const targets = parts.classifier === undefined ? lossRows(batch, promptRows) : classRows(batch, promptRows, parts.classifier.shape[0]!);
    const exact: (boolean | undefined)[] = batch.lengths.map(() => undefined);
    const sequences = exact.map(() => ({ lossSum: 0, targets: 0, correct: 0 }));
    for (const sequence of targets.sequenceOfTarget) {
      exact[sequence] = true;
      sequences[sequence]!.targets += 1;
    }
    const rows = leadingRows(batch, promptRows) + count * sequence;
    if (targets.labels.length === 0) return { result: { lossSum: 0, targets: 0, correct: 0, exact, sequences, rows } };
    const asked = { batch, parts, positions: targets.positions, training, targets: targets.labels.length, signal };
    const step = await splitStep(this, asked);
    this.remote.connection.counters.rowsShared += savedRows(batch);
    const chunkRows = chunkOf(parts.classifier?.shape[0] ?? this.bundle.vocabSize);
    const losses = await rowLosses(this.bundle, step.rows, targets, { chunkRows, wantCotangent: training, head: parts, signal });
    let lossSum = 0;
    let correct = 0;
    targets.labels.forEach((_, target) => {
      const sequence = targets.sequenceOfTarget[target]!;
      const right = losses.correct[target] === 1 ? 1 : 0;
      lossSum += losses.nll[target]!;
      correct += right;
      sequences[sequence]!.lossSum += losses.nll[target]!;
      sequences[sequence]!.correct += right;
      if (right === 0) exact[sequence] = false;
    });
    const result: BatchResult = { lossSum, targets: targets.labels.length, correct, exact, sequences, rows };
    const { cotangent, head } = losses;
    if (cotangent === undefined || head === undefined) return { result };
    return { result, backward: async () => withHead(await step.backward(cotangent), head) };
  }
}

/** Rows of logits of one run, by their width. */
function chunkOf(width: number): number {
  return Math.max(1, Math.floor(LOGIT_BYTES / (4 * width)));
}

/** The cotangents of the spans with those of the head; a tied table gets both. */
function withHead(spans: StepCotangents, head: Pick<StepCotangents, 'headLora' | 'tokenRows' | 'classifier'>): StepCotangents {
  if (spans.tokenRows === undefined || head.tokenRows === undefined) return { ...head, ...spans };
  const tied = head.tokenRows.data;
  const data = spans.tokenRows.data.map((value, i) => value + tied[i]!);
  return { ...head, ...spans, tokenRows: f32(spans.tokenRows.shape, data) };
}
