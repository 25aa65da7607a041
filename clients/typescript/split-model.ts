/**
 * The whole model as the client sees it: its own bottom, the vendor's backbone, its own top, head and loss, composed for one batch and one
 * adapter. The composition and its vjp are exact: `top(backbone(bottom(x))) == full(x)`.
 */
import { CutlayerError } from '../../src/errors.js';
import { f32, type Tensor, tensor } from '../../src/tensor/tensor.js';
import type { AdapterKind, Feeds } from './adapters/adapter.js';
import type { SpanAdapter as Adapter } from './adapters/span-adapter.js';
import type { ClientBundle } from './client-bundle.js';
import { type Batch, lossRows } from './data/batch.js';
import { checkBundle } from './model-card.js';
import type { RemoteModel, RemoteStep } from './remote-model.js';
import { rowLosses } from './row-losses.js';

/** What a batch came to. */
export interface BatchResult {
  /** Sum of the negative log likelihoods of all targets, in nats. */
  readonly lossSum: number;
  /** Targets that carry loss. */
  readonly targets: number;
  /** Targets whose label is the most probable token. */
  readonly correct: number;
  /** For each sequence: whether every one of its targets is right. */
  readonly exact: readonly boolean[];
  /** Rows that went through the backbone. */
  readonly rows: number;
}

/** A training step's result: {@link BatchResult} and the cotangent of `lossSum` with respect to the adapter's parameter. */
export interface GradientResult extends BatchResult {
  readonly gradient: Float32Array;
}

/** Rows of the whole model's last hidden states, and how to send a cotangent back through them. */
interface SplitStep {
  /** [positions, d] */
  readonly rows: Tensor<'float32'>;
  backward(cotangent: Tensor<'float32'>): Promise<Float32Array>;
}

/** Most bytes of logits that one run of the head or the loss makes. */
const LOGIT_BYTES = 64 * 1024 * 1024;

/** Client bundle and backbone together. */
export class SplitModel {
  readonly bundle: ClientBundle;
  readonly remote: RemoteModel;
  readonly #chunkRows: number;

  /** @throws CutlayerError BACKBONE_MISMATCH when the bundle belongs to another backbone than the gateway's. */
  constructor(bundle: ClientBundle, remote: RemoteModel) {
    checkBundle(remote.connection.card, bundle.identity, remote.connection.address);
    this.bundle = bundle;
    this.remote = remote;
    this.#chunkRows = Math.max(1, Math.floor(LOGIT_BYTES / (4 * bundle.vocabSize)));
  }

  /** Longest sequence of real tokens with this many virtual tokens before it. */
  maxLength(numVirtualTokens: number): number {
    return this.remote.connection.card.dims.maxPositions - numVirtualTokens;
  }

  /** Loss of a batch, without a gradient. @param adapter Undefined: the bare model. */
  async evaluate(batch: Batch, adapter: Adapter | undefined, signal?: AbortSignal): Promise<BatchResult> {
    const { result } = await this.#loss(batch, adapter, false, signal);
    return result;
  }

  /**
   * Loss of a batch and its gradient, summed over targets: divide by the number of targets of all batches of an optimizer step.
   * @throws CutlayerError DIVERGED when the loss is not finite
   */
  async gradient(batch: Batch, adapter: Adapter, signal?: AbortSignal): Promise<GradientResult> {
    const { result, step, cotangent } = await this.#loss(batch, adapter, true, signal);
    if (step === undefined || cotangent === undefined) return { ...result, gradient: new Float32Array(adapter.parameter.data.length) };
    if (!Number.isFinite(result.lossSum)) {
      throw new CutlayerError('DIVERGED', `the loss is ${result.lossSum}; lower the learning rate or clip the gradient more tightly`);
    }
    return { ...result, gradient: await step.backward(cotangent) };
  }

  /** Logits [sequences, vocabSize] of the token after each sequence. */
  async nextLogits(batch: Batch, adapter: Adapter | undefined, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    const sequence = batch.tokenIds.shape[1]!;
    const first = adapter?.promptRows ?? 0;
    const positions = batch.lengths.map((length, b) => first + b * sequence + length - 1);
    const { rows } = await this.#forward(batch, adapter, positions, false, signal);
    const chunks: Float32Array[] = [];
    const [count, d] = rows.shape as [number, number];
    for (let at = 0; at < count; at += this.#chunkRows) {
      const end = Math.min(count, at + this.#chunkRows);
      chunks.push((await this.bundle.logits(f32([end - at, d], rows.data.slice(at * d, end * d)), signal)).data);
    }
    const logits = new Float32Array(count * this.bundle.vocabSize);
    chunks.reduce((at, chunk) => {
      logits.set(chunk, at);
      return at + chunk.length;
    }, 0);
    return f32([count, this.bundle.vocabSize], logits);
  }

  async #loss(batch: Batch, adapter: Adapter | undefined, training: boolean, signal?: AbortSignal) {
    const [count, sequence] = batch.tokenIds.shape as [number, number];
    const promptRows = adapter?.promptRows ?? 0;
    const targets = lossRows(batch, promptRows);
    const exact = batch.lengths.map(() => true);
    const rows = promptRows + count * sequence;
    if (targets.labels.length === 0) return { result: { lossSum: 0, targets: 0, correct: 0, exact, rows } };
    const step = await this.#forward(batch, adapter, targets.positions, training, signal);
    const losses = await rowLosses(this.bundle, step.rows, targets, this.#chunkRows, training, signal);
    let lossSum = 0;
    let correct = 0;
    targets.labels.forEach((_, target) => {
      lossSum += losses.nll[target]!;
      if (losses.correct[target] === 1) correct += 1;
      else exact[targets.sequenceOfTarget[target]!] = false;
    });
    return { result: { lossSum, targets: targets.labels.length, correct, exact, rows }, step, cotangent: losses.cotangent };
  }

  /** Bottom, backbone and top; the vjp runs them backwards. */
  async #forward(
    batch: Batch,
    adapter: Adapter | undefined,
    positions: readonly number[],
    training: boolean,
    signal?: AbortSignal,
  ): Promise<SplitStep> {
    const { bundle } = this;
    const kind: AdapterKind | 'none' = adapter?.kind ?? 'none';
    const inputsEmbeds = await bundle.inputsEmbeds(batch.tokenIds, signal);
    const bottomFeeds: Feeds = { inputsEmbeds, ...adapter?.bottomFeeds() };
    const bottom = bundle.has('bottom') ? await bundle.spanForward('bottom', kind, bottomFeeds, signal) : undefined;
    const hiddenStates = (bottom?.hiddenStates as Tensor<'float32'> | undefined) ?? inputsEmbeds;
    const value = adapter?.backboneValue(bottom);
    const hasTop = bundle.has('top');
    const step = await this.remote.forward({
      hiddenStates,
      lengths: batch.lengths,
      adapter: adapter === undefined || value === undefined ? undefined : { kind: adapter.kind, value },
      positions: hasTop ? undefined : positions,
      training,
      signal,
    });
    const promptRows = adapter?.promptRows ?? 0;
    const topFeeds = hasTop ? splitRows(step.output, promptRows, hiddenStates.shape, adapter, positions) : undefined;
    const rows =
      topFeeds === undefined ? step.output : ((await bundle.spanForward('top', kind, topFeeds, signal)).rows as Tensor<'float32'>);
    return {
      rows,
      backward: async (cotangent) => {
        if (adapter === undefined) throw new CutlayerError('INVALID_ARGUMENT', 'the bare model has nothing to train');
        const top =
          topFeeds === undefined ? undefined : await bundle.spanVjp('top', kind, { ...topFeeds, rowsCotangent: cotangent }, signal);
        const outputCotangent = top === undefined ? cotangent : joinRows(top, step.output.shape);
        const wantHiddenStates = bundle.vjpTakes('bottom', kind, 'hiddenStatesCotangent') && bundle.dims.bottom > 0;
        const back = await step.backward(outputCotangent, { wantHiddenStates, signal });
        if (back.adapter === undefined) throw new CutlayerError('INTERNAL', 'the gateway answered Backward without an adapter cotangent');
        const hiddenStatesCotangent = back.hiddenStates ?? zerosLike(hiddenStates);
        const below =
          bundle.has('bottom') && !(kind === 'prefix' && bundle.dims.bottom === 0)
            ? await bundle.spanVjp(
                'bottom',
                kind,
                { ...bottomFeeds, hiddenStatesCotangent, softPromptHiddenCotangent: back.adapter },
                signal,
              )
            : undefined;
        return adapter.parameterCotangent({
          backbone: back.adapter,
          ...(below === undefined ? {} : { bottom: below }),
          ...(top === undefined ? {} : { top }),
        });
      },
    };
  }
}

/** The backbone's flat rows [R, d] as the top graph wants them: text rows [B, S, d] and prompt rows [P, d] apart. */
function splitRows(
  output: RemoteStep['output'],
  promptRows: number,
  shape: readonly number[],
  adapter: Adapter | undefined,
  positions: readonly number[],
): Feeds {
  const d = output.shape[1]!;
  const promptHidden = f32([promptRows, d], output.data.slice(0, promptRows * d));
  return {
    hiddenStates: f32(shape, output.data.slice(promptRows * d)),
    positions: tensor('int64', [positions.length], BigInt64Array.from(positions, BigInt)),
    ...adapter?.topFeeds(promptHidden),
  };
}

function joinRows(top: Feeds, shape: readonly number[]): Tensor<'float32'> {
  const text = top.hiddenStatesCotangent!.data as Float32Array;
  const prompt = top.softPromptHiddenCotangent?.data as Float32Array | undefined;
  const joined = new Float32Array(shape[0]! * shape[1]!);
  if (prompt !== undefined) joined.set(prompt, 0);
  joined.set(text, joined.length - text.length);
  return f32(shape, joined);
}

function zerosLike({ shape, data }: Tensor<'float32'>): Tensor<'float32'> {
  return f32(shape, new Float32Array(data.length));
}
