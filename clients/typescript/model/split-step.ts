/**
 * One batch through bottom, backbone and top with what an adapter puts into them, and the vjp of exactly that: back to every place that the adapter
 * fills, and no further. Where nothing below the top is trained the gateway runs without residuals and is never asked for a vjp.
 */
import { CutlayerError } from '../../../src/errors.js';
import { f32, type Tensor, tensor } from '../../../src/tensor/tensor.js';
import type { AdapterKind, Feeds, SpanKind, StepCotangents, StepParts } from '../adapters/adapter.js';
import type { Batch } from '../data/batch.js';
import type { ClientBundle, ClientSpan, SpanVariant } from './client-bundle.js';
import type { RemoteModel } from './remote-model.js';
import { replaceTokenRows, tokenRowsCotangent } from './token-rows.js';

/** Rows of the whole model's last hidden states, and how to send a cotangent back through them. */
export interface SplitStep {
  /** [positions, d] */
  readonly rows: Tensor<'float32'>;
  /** Cotangents of all places but the head's. @param cotangent Of `rows`. */
  backward(cotangent: Tensor<'float32'>): Promise<StepCotangents>;
}

/** What a step runs on. */
export interface StepInput {
  readonly batch: Batch;
  readonly parts: StepParts;
  /** Rows wanted, strictly increasing (numbered as in split.proto). */
  readonly positions: readonly number[];
  /** Whether `backward` will be called. */
  readonly training: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Rows of its own in the sequence: P of a soft prompt, 0 else. */
export function promptRowsOf(parts: StepParts): number {
  return parts.softPrompt?.shape[0] ?? 0;
}

/** Runs the forward pass. @throws CutlayerError what the gateway and the graphs fail with */
export async function splitStep(bundle: ClientBundle, remote: RemoteModel, input: StepInput): Promise<SplitStep> {
  const { batch, parts, positions, training, signal } = input;
  const { softPrompt, prefix, tokenRows, blockWeights } = parts;
  const kind = spanKindOf(parts);
  const promptRows = promptRowsOf(parts);
  const { bottom: bottomBlocks, backbone: backboneBlocks, top: topBlocks } = bundle.dims;
  const variant = (span: ClientSpan): SpanVariant => ({ span, kind, trained: bundle.holdsSome(span, blockWeights) });
  const [bottomVariant, topVariant] = [variant('bottom'), variant('top')];

  const inputsEmbeds = await bundle.inputsEmbeds(batch.tokenIds, signal);
  if (tokenRows !== undefined) replaceTokenRows(inputsEmbeds, batch, tokenRows, bundle.embedScale);
  const bottomFeeds: Feeds = {
    inputsEmbeds,
    ...(softPrompt === undefined ? {} : { softPrompt }),
    // A bottom without blocks (GPT-2's position embedding alone) needs only to know where the text begins.
    ...(prefix === undefined
      ? {}
      : bottomBlocks > 0
        ? { prefix: layersOf(prefix, 0, bottomBlocks) }
        : { numVirtualTokens: virtualTokens(prefix) }),
    ...(bottomVariant.trained ? await bundle.spanWeights('bottom', blockWeights!) : {}),
  };
  const bottom = bundle.has('bottom') ? await bundle.spanForward(bottomVariant, bottomFeeds, signal) : undefined;
  const hiddenStates = (bottom?.hiddenStates as Tensor<'float32'> | undefined) ?? inputsEmbeds;
  const sent =
    softPrompt === undefined
      ? prefix && layersOf(prefix, bottomBlocks, backboneBlocks)
      : ((bottom?.softPromptHidden as Tensor<'float32'> | undefined) ?? softPrompt);

  const trainsBelowTop = kind !== 'none' || tokenRows !== undefined || bottomVariant.trained;
  const hasTop = bundle.has('top');
  const step = await remote.forward({
    hiddenStates,
    lengths: batch.lengths,
    adapter: sent === undefined ? undefined : { kind: kind as AdapterKind, value: sent },
    positions: hasTop ? undefined : positions,
    training: training && trainsBelowTop,
    signal,
  });
  const topFeeds: Feeds | undefined = hasTop
    ? {
        ...partRows(step.output, promptRows, hiddenStates.shape),
        ...(prefix === undefined ? {} : { prefix: layersOf(prefix, bottomBlocks + backboneBlocks, topBlocks) }),
        positions: tensor('int64', [positions.length], BigInt64Array.from(positions, BigInt)),
        ...(topVariant.trained ? await bundle.spanWeights('top', blockWeights!) : {}),
      }
    : undefined;
  const rows = topFeeds === undefined ? step.output : ((await bundle.spanForward(topVariant, topFeeds, signal)).rows as Tensor<'float32'>);

  const backward = async (cotangent: Tensor<'float32'>): Promise<StepCotangents> => {
    const trainsTop = topVariant.trained;
    const above =
      topFeeds !== undefined && (trainsBelowTop || trainsTop)
        ? await bundle.spanVjp(topVariant, { ...topFeeds, rowsCotangent: cotangent }, { weights: blockWeights, signal })
        : undefined;
    const weights = weightCotangents(blockWeights, above);
    if (!trainsBelowTop) return weights === undefined ? {} : { blockWeights: weights };

    const trainsBottom = bottomVariant.trained || tokenRows !== undefined || (kind !== 'none' && bottomBlocks > 0);
    const runsBottomVjp = bundle.has('bottom') && (trainsBottom || kind === 'softPrompt');
    const back = await step.backward(above === undefined ? cotangent : joinRows(above, step.output.shape), {
      wantHiddenStates: trainsBottom,
      signal,
    });
    if (sent !== undefined && back.adapter === undefined) {
      throw new CutlayerError('INTERNAL', 'the gateway answered Backward without an adapter cotangent');
    }
    const below = runsBottomVjp
      ? await bundle.spanVjp(
          bottomVariant,
          {
            ...bottomFeeds,
            hiddenStatesCotangent: back.hiddenStates ?? f32(hiddenStates.shape, new Float32Array(hiddenStates.data.length)),
            ...(back.adapter === undefined ? {} : { softPromptHiddenCotangent: back.adapter }),
          },
          { weights: blockWeights, signal },
        )
      : undefined;
    const bothWeights = weightCotangents(blockWeights, { ...above, ...below });
    const embeddings = (below?.inputsEmbedsCotangent as Tensor<'float32'> | undefined) ?? back.hiddenStates;
    return {
      ...(softPrompt === undefined ? {} : { softPrompt: (below?.softPromptCotangent as Tensor<'float32'> | undefined) ?? back.adapter! }),
      ...(prefix === undefined
        ? {}
        : { prefix: stackLayers(prefix.shape, [below?.prefixCotangent, back.adapter, above?.prefixCotangent]) }),
      ...(tokenRows === undefined ? {} : { tokenRows: tokenRowsCotangent(embeddings!, batch, tokenRows, bundle.embedScale) }),
      ...(bothWeights === undefined ? {} : { blockWeights: bothWeights }),
    };
  };
  return { rows, backward };
}

/** @throws CutlayerError INVALID_ARGUMENT when both would put virtual tokens before the text */
function spanKindOf({ softPrompt, prefix }: StepParts): SpanKind {
  if (softPrompt !== undefined && prefix !== undefined) {
    throw new CutlayerError('INVALID_ARGUMENT', 'a step takes a soft prompt or a prefix, not both');
  }
  return softPrompt !== undefined ? 'softPrompt' : prefix !== undefined ? 'prefix' : 'none';
}

/** A copy of some layers of a prefix: [count, 2, P, numKvHeads, headDim]. */
function layersOf({ shape, data }: Tensor<'float32'>, first: number, count: number): Tensor<'float32'> {
  const size = data.length / shape[0]!;
  return f32([count, ...shape.slice(1)], data.slice(first * size, (first + count) * size));
}

/** The layers' cotangents of bottom, backbone and top on end. */
function stackLayers(shape: readonly number[], spans: readonly (Feeds[string] | undefined)[]): Tensor<'float32'> {
  const whole = new Float32Array(shape.reduce((product, dim) => product * dim, 1));
  let at = 0;
  for (const span of spans) {
    if (span === undefined) continue;
    whole.set(span.data as Float32Array, at);
    at += span.data.length;
  }
  return f32(shape, whole);
}

function virtualTokens(prefix: Tensor<'float32'>): Tensor<'int64'> {
  return tensor('int64', [], BigInt64Array.of(BigInt(prefix.shape[2]!)));
}

/** The cotangents of the weights that are given, from the outputs of trained vjps. */
function weightCotangents(given: StepParts['blockWeights'], outputs: Feeds | undefined): StepCotangents['blockWeights'] {
  if (given === undefined || outputs === undefined) return undefined;
  const found = Object.keys(given).flatMap((name) => {
    const cotangent = outputs[`${name}Cotangent`] as Tensor<'float32'> | undefined;
    return cotangent === undefined ? [] : [[name, cotangent] as const];
  });
  return Object.fromEntries(found);
}

/** The backbone's flat rows [R, d] as the top graph wants them: text rows [B, S, d] and prompt rows [P, d] apart. */
function partRows(output: Tensor<'float32'>, promptRows: number, shape: readonly number[]): Feeds {
  const d = output.shape[1]!;
  return {
    hiddenStates: f32(shape, output.data.slice(promptRows * d)),
    ...(promptRows === 0 ? {} : { softPromptHidden: f32([promptRows, d], output.data.slice(0, promptRows * d)) }),
  };
}

function joinRows(above: Feeds, shape: readonly number[]): Tensor<'float32'> {
  const text = above.hiddenStatesCotangent!.data as Float32Array;
  const prompt = above.softPromptHiddenCotangent?.data as Float32Array | undefined;
  const joined = new Float32Array(shape[0]! * shape[1]!);
  if (prompt !== undefined) joined.set(prompt, 0);
  joined.set(text, joined.length - text.length);
  return f32(shape, joined);
}
