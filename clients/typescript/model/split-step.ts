/**
 * One batch through bottom, backbone and top with an adapter's parts, and the vjp to those parts.
 * If nothing below the top is trained, the gateway keeps no residuals and gets no vjp call.
 */
import type { SpanKind } from '../../../src/artifacts/manifest.js';
import { CutlayerError } from '../../../src/errors.js';
import { addFloats, concatRows, zeros } from '../../../src/tensor/floats.js';
import { f32, type Tensor, tensor } from '../../../src/tensor/tensor.js';
import type { Feeds, FloatFeeds, StepCotangents, StepParts } from '../adapters/adapter.js';
import type { VirtualTokenKind } from '../connection/served-model.js';
import { type Batch, leadingRows } from '../data/batch.js';
import type { Defences } from '../defences/defences.js';
import type { LearnedPass } from '../defences/learned-pass.js';
import type { RowPlace } from '../defences/row-stage.js';
import type { ClientBundle, ClientSpan, SpanVariant } from './client-bundle.js';
import type { RemoteModel } from './remote-model.js';
import { replaceTokenRows, tokenRowsCotangent } from './token-rows.js';

type Floats = Tensor<'float32'>;

/** Rows of the whole model's last hidden states, and how to send a cotangent back through them. */
export interface SplitStep {
  /** [positions, d] */
  readonly rows: Floats;
  /** Cotangents of all places but the head's. @param cotangent Of `rows`. */
  backward(cotangent: Floats): Promise<StepCotangents>;
}

export interface StepInput {
  readonly batch: Batch;
  readonly parts: StepParts;
  /** Rows wanted, strictly increasing (numbered as in split.proto). */
  readonly positions: readonly number[];
  /** Whether `backward` will be called. */
  readonly training: boolean;
  /** In training: what the loss counts. */
  readonly targets?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Rows of its own in the sequence: P of a soft prompt, 0 else. */
export function promptRowsOf(parts: StepParts): number {
  return parts.softPrompt?.shape[0] ?? 0;
}

/** What a step runs on. */
export interface StepModel {
  readonly bundle: ClientBundle;
  readonly remote: RemoteModel;
  readonly defences: Defences;
}

/** Runs the forward pass. @throws CutlayerError what the gateway and the graphs fail with */
export async function splitStep({ bundle, remote, defences }: StepModel, input: StepInput): Promise<SplitStep> {
  const { batch, parts, positions, training, signal } = input;
  const { softPrompt, prefix, tokenRows, blockWeights } = parts;
  const trainedKind = spanKindOf(parts);
  const kind = batch.shared === undefined ? trainedKind : sharedKindOf(trainedKind);
  const promptRows = promptRowsOf(parts);
  const { bottom: bottomBlocks, backbone: backboneBlocks, top: topBlocks } = bundle.dims;
  const variant = (span: ClientSpan): SpanVariant => ({ span, kind, trained: bundle.holdsSome(span, blockWeights) });
  const [bottomVariant, topVariant] = [variant('bottom'), variant('top')];

  const inputsEmbeds = await embedded(bundle, batch, tokenRows, signal);
  const leading = await leadingEmbeds(bundle, input);
  const embeddingDefence = defendRows(defences, 'embedding', batch, inputsEmbeds, leading);
  const bottomFeeds: Feeds = {
    inputsEmbeds,
    ...(leading === undefined ? {} : { softPrompt: leading }),
    // A bottom without blocks (GPT-2's positions alone) only needs to know where text begins.
    ...(prefix === undefined
      ? {}
      : bottomBlocks > 0
        ? { prefix: layersOf(prefix, 0, bottomBlocks) }
        : { numVirtualTokens: virtualTokens(prefix) }),
    ...(bottomVariant.trained ? await bundle.spanWeights('bottom', blockWeights!) : {}),
  };
  const bottom: FloatFeeds = bundle.has('bottom') ? await bundle.spanForward(bottomVariant, bottomFeeds, signal, batch.lengths) : {};
  const hiddenStates = bottom.hiddenStates ?? inputsEmbeds;
  const sent = leading === undefined ? prefix && layersOf(prefix, bottomBlocks, backboneBlocks) : (bottom.softPromptHidden ?? leading);
  const learned = defences.learnedPass(parts.rowTransform, training ? (input.targets ?? 1) : undefined);
  const cutDefence = defendRows(defences, 'cut', batch, hiddenStates, sent, learned);

  const trainsBelowTop = trainedKind !== 'none' || tokenRows !== undefined || bottomVariant.trained || learned !== undefined;
  const hasTop = bundle.has('top');
  // Rows that carry loss would end where the text before the filler ends.
  const asksAll = hasTop || batch.ends !== undefined;
  const step = await remote.forward({
    hiddenStates,
    lengths: batch.lengths,
    adapter: sent === undefined ? undefined : { kind: kind as VirtualTokenKind, value: sent },
    positions: asksAll ? undefined : positions,
    training: training && trainsBelowTop,
    signal,
  });
  const topFeeds: Feeds | undefined = hasTop
    ? {
        ...partRows(step.output, leadingRows(batch, promptRows), hiddenStates.shape),
        ...(prefix === undefined ? {} : { prefix: layersOf(prefix, bottomBlocks + backboneBlocks, topBlocks) }),
        positions: tensor('int64', [positions.length], BigInt64Array.from(positions, BigInt)),
        ...(topVariant.trained ? await bundle.spanWeights('top', blockWeights!) : {}),
      }
    : undefined;
  const picked = asksAll ? positions : undefined;
  const rows =
    topFeeds === undefined ? pickRows(step.output, picked) : (await bundle.spanForward(topVariant, topFeeds, signal, batch.lengths)).rows!;

  const backward = async (cotangent: Floats): Promise<StepCotangents> => {
    const vjpOptions = { weights: blockWeights, lengths: batch.lengths, signal };
    // Nothing below the top takes its inputs' cotangents further.
    const topOptions = trainsBelowTop ? vjpOptions : { ...vjpOptions, inputs: [] };
    const above =
      topFeeds !== undefined && (trainsBelowTop || topVariant.trained)
        ? await bundle.spanVjp(topVariant, { ...topFeeds, rowsCotangent: cotangent }, topOptions)
        : undefined;
    if (!trainsBelowTop) return weightCotangents(blockWeights, { ...above });

    const trainsBottom = bottomVariant.trained || tokenRows !== undefined || (trainedKind !== 'none' && bottomBlocks > 0);
    const back = await step.backward(
      above === undefined ? scatterRows(cotangent, picked, step.output.shape) : joinRows(above, step.output.shape),
      {
        wantHiddenStates: trainsBottom || learned !== undefined,
        signal,
      },
    );
    if (sent !== undefined && back.adapter === undefined) {
      throw new CutlayerError('INTERNAL', 'the gateway answered Backward without an adapter cotangent');
    }
    cutDefence(back.hiddenStates, back.adapter);
    const bottomCotangents: Feeds = {
      hiddenStatesCotangent: back.hiddenStates ?? zeros(hiddenStates.shape),
      ...(back.adapter === undefined ? {} : { softPromptHiddenCotangent: back.adapter }),
    };
    const below: FloatFeeds =
      bundle.has('bottom') && (trainsBottom || trainedKind === 'softPrompt')
        ? await bundle.spanVjp(bottomVariant, { ...bottomFeeds, ...bottomCotangents }, { ...vjpOptions, inputs: trainedInputs(parts) })
        : {};
    const embeddings = below.inputsEmbedsCotangent ?? back.hiddenStates;
    const lead = below.softPromptCotangent ?? back.adapter;
    embeddingDefence(embeddings, lead);
    // Of bottom, backbone and top, those that have blocks.
    const layers = [below.prefixCotangent, back.adapter, above?.prefixCotangent].filter((part) => part !== undefined);
    return {
      ...(softPrompt === undefined ? {} : { softPrompt: rowsOf(lead!, 0, promptRows) }),
      ...(prefix === undefined ? {} : { prefix: concatRows(layers) }),
      ...(learned === undefined ? {} : { rowTransform: learned.cotangents() }),
      ...(tokenRows === undefined ? {} : { tokenRows: tokenCotangent(bundle, batch, tokenRows, embeddings!, lead) }),
      ...weightCotangents(blockWeights, { ...above, ...below }),
    };
  };
  return { rows, backward };
}

type TokenRows = NonNullable<StepParts['tokenRows']>;
type Tokens = Pick<Batch, 'tokenIds' | 'lengths'>;

/** The inputs of the bottom that some parts train. */
function trainedInputs({ softPrompt, prefix, tokenRows }: StepParts): readonly string[] {
  return [
    ...(tokenRows === undefined ? [] : ['inputsEmbeds']),
    // Trained tokens may be among the rows that lead the text.
    ...((softPrompt ?? tokenRows) === undefined ? [] : ['softPrompt']),
    ...(prefix === undefined ? [] : ['prefix']),
  ];
}

/** Embeddings with the trained tokens' own rows: [batch, sequence, d]. */
async function embedded(bundle: ClientBundle, tokens: Tokens, tokenRows: TokenRows | undefined, signal?: AbortSignal): Promise<Floats> {
  const embeds = await bundle.inputsEmbeds(tokens.tokenIds, signal);
  if (tokenRows !== undefined) replaceTokenRows(embeds, tokens, tokenRows, bundle.embedScale);
  return embeds;
}

/** The rows that lead every sequence: the soft prompt's, then those of shared text; [L, d]. */
async function leadingEmbeds(bundle: ClientBundle, { batch, parts, signal }: StepInput): Promise<Floats | undefined> {
  const { softPrompt, tokenRows } = parts;
  if (batch.shared === undefined) return softPrompt;
  const { shape, data } = await embedded(bundle, sharedTokens(batch.shared), tokenRows, signal);
  const text = f32(shape.slice(1), data);
  return softPrompt === undefined ? text : concatRows([softPrompt, text]);
}

/**
 * Puts defences on a batch's rows and those of its shared text, in place.
 * @param leading [L, d], of which shared text has the last rows
 * @returns the vjp, on the cotangents of both, where there are some
 */
function defendRows(defences: Defences, place: RowPlace, batch: Batch, rows: Floats, leading: Floats | undefined, learned?: LearnedPass) {
  const ofText = defences.defendBatch(place, rows, batch, learned);
  const { shared } = batch;
  if (shared === undefined) return (text?: Floats) => text && ofText(text);
  const ofShared = defences.defendBatch(place, sharedRows(leading!, shared), sharedTokens(shared), learned);
  return (text?: Floats, lead?: Floats) => {
    if (text !== undefined) ofText(text);
    if (lead !== undefined) ofShared(sharedRows(lead, shared));
  };
}

/** The rows of shared text in those that lead a batch, not copied: [1, C, d]. */
function sharedRows({ shape, data }: Floats, shared: Tensor<'int64'>): Floats {
  const [count, d] = [shared.shape[1]!, shape[1]!];
  return f32([1, count, d], data.subarray(data.length - count * d));
}

/** Shared text as a batch of one sequence. */
const sharedTokens = (shared: Tensor<'int64'>): Tokens => ({ tokenIds: shared, lengths: [shared.shape[1]!] });

/** Of trained token rows: over the text's embeddings, and over those of the rows that lead it. */
function tokenCotangent(bundle: ClientBundle, batch: Batch, rows: TokenRows, text: Floats, lead: Floats | undefined): Floats {
  const sum = tokenRowsCotangent(text, batch, rows, bundle.embedScale);
  if (batch.shared === undefined) return sum;
  const count = batch.shared.shape[1]!;
  const { shape, data } = rowsOf(lead!, lead!.shape[0]! - count, count);
  addFloats(sum.data, tokenRowsCotangent(f32([1, ...shape], data), sharedTokens(batch.shared), rows, bundle.embedScale).data);
  return sum;
}

/** The kind of graphs that take shared text: it goes where a soft prompt does. */
function sharedKindOf(kind: SpanKind): SpanKind {
  if (kind === 'prefix') throw new CutlayerError('INVALID_ARGUMENT', 'a step with a prefix takes no shared text');
  return 'softPrompt';
}

/** @throws CutlayerError INVALID_ARGUMENT when both would put virtual tokens before the text */
/** Which graphs a step's virtual tokens need. @throws CutlayerError INVALID_ARGUMENT (both) */
export function spanKindOf({ softPrompt, prefix }: Pick<StepParts, 'softPrompt' | 'prefix'>): SpanKind {
  if (softPrompt !== undefined && prefix !== undefined) {
    throw new CutlayerError('INVALID_ARGUMENT', 'a step takes a soft prompt or a prefix, not both');
  }
  return softPrompt !== undefined ? 'softPrompt' : prefix !== undefined ? 'prefix' : 'none';
}

/** Rows of [R, d] by their numbers; without numbers all. */
function pickRows(all: Floats, numbers: readonly number[] | undefined): Floats {
  if (numbers === undefined) return all;
  const d = all.shape[1]!;
  const picked = new Float32Array(numbers.length * d);
  for (const [at, row] of numbers.entries()) picked.set(all.data.subarray(row * d, (row + 1) * d), at * d);
  return f32([numbers.length, d], picked);
}

/** The vjp of {@link pickRows}. */
function scatterRows(cotangent: Floats, numbers: readonly number[] | undefined, shape: readonly number[]): Floats {
  if (numbers === undefined) return cotangent;
  const [, d] = shape as [number, number];
  const all = zeros(shape);
  for (const [at, row] of numbers.entries()) all.data.set(cotangent.data.subarray(at * d, (at + 1) * d), row * d);
  return all;
}

/** A copy of some layers of a prefix: [count, 2, P, numKvHeads, headDim]. */
export function layersOf(prefix: Floats, first: number, count: number): Floats {
  return rowsOf(prefix, first, count);
}

/** A copy of a part along the first axis. */
function rowsOf({ shape, data }: Floats, first: number, count: number): Floats {
  const size = data.length / shape[0]!;
  return f32([count, ...shape.slice(1)], data.slice(first * size, (first + count) * size));
}

function virtualTokens(prefix: Floats): Tensor<'int64'> {
  return tensor('int64', [], BigInt64Array.of(BigInt(prefix.shape[2]!)));
}

/** The cotangents of the weights that are given, from the outputs of trained vjps. */
function weightCotangents(given: StepParts['blockWeights'], outputs: FloatFeeds): Pick<StepCotangents, 'blockWeights'> {
  if (given === undefined) return {};
  const found = Object.keys(given).flatMap((name) => {
    const cotangent = outputs[`${name}Cotangent`];
    return cotangent === undefined ? [] : [[name, cotangent] as const];
  });
  return { blockWeights: Object.fromEntries(found) };
}

/** The backbone's rows [R, d] as the top takes them: text [B, S, d] and prompt [P, d] apart. */
function partRows(output: Floats, promptRows: number, shape: readonly number[]): Feeds {
  const d = output.shape[1]!;
  return {
    hiddenStates: f32(shape, output.data.slice(promptRows * d)),
    ...(promptRows === 0 ? {} : { softPromptHidden: f32([promptRows, d], output.data.slice(0, promptRows * d)) }),
  };
}

/** The inverse of {@link partRows}, for cotangents: [R, d]. */
function joinRows({ softPromptHiddenCotangent: prompt, hiddenStatesCotangent: text }: FloatFeeds, shape: readonly number[]): Floats {
  const rows = f32([text!.data.length / shape[1]!, shape[1]!], text!.data);
  return concatRows(prompt === undefined ? [rows] : [prompt, rows]);
}
