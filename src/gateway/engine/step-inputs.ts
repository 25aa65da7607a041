/** The inputs of one step: shapes, digest, size, and the feeds of a graph. */
import { createHash } from 'node:crypto';
import type { Dims, SpanKind } from '../../artifacts/manifest.js';
import { firstRows, packedFeeds, takesPackedRows, tokenRows, wholeSequences } from '../../artifacts/row-feeds.js';
import { packedStarts, packRows, paddedStarts, padRows, renumbered } from '../../protocol/wire/packed-rows.js';
import type { NamedTensors } from '../../runtime/protocol.js';
import { tensorBytes } from '../../runtime/release.js';
import type { PackedSequences } from '../../tensor/sequences.js';
import type { DimPattern } from '../../tensor/shape.js';
import { f32, type Tensor, tensor } from '../../tensor/tensor.js';

/** The adapter of a step. */
export type AdapterInput =
  | { readonly kind: 'none' }
  /** `value` [P, hiddenSize], shared by the batch. */
  | { readonly kind: 'softPrompt'; readonly value: Tensor<'float32'> }
  /** `value` [numLayers, 2, P, numKvHeads, headDim]: keys after rotary embedding, and values. */
  | { readonly kind: 'prefix'; readonly value: Tensor<'float32'> };

/** The inputs of a step. */
export interface StepInputs {
  /** [B, S, hiddenSize], right-padded; with `packed` [sum of lengths, hiddenSize]. */
  readonly hiddenStates: Tensor<'float32'>;
  /** The sequences, where the hidden states have no padding. */
  readonly packed?: PackedSequences | undefined;
  readonly adapter: AdapterInput;
  /**
   * Rows wanted, at least one, increasing. Rows 0..P-1 are the soft prompt's; those of the hidden
   * states follow in their order. Of padded ones, token s of sequence b is row P + b * S + s.
   */
  readonly positions: BigInt64Array;
}

declare const checked: unique symbol;

/** Inputs that fit the backbone, with finite values, as the service's parser makes them. */
export type CheckedInputs = StepInputs & { readonly [checked]: true };

/** The expected shapes of a step's tensors. */
export const stepShapes = {
  hiddenStates: ({ hiddenSize }) => ['*', '*', hiddenSize],
  packedHiddenStates: ({ hiddenSize }) => ['*', hiddenSize],
  softPrompt: ({ hiddenSize }) => ['*', hiddenSize],
  prefix: ({ numLayers, numKvHeads, headDim }) => [numLayers, 2, '*', numKvHeads, headDim],
  cotangent: ({ hiddenSize }) => ['*', hiddenSize],
} as const satisfies Readonly<Record<string, (dims: Dims) => readonly DimPattern[]>>;

/** The virtual tokens of an adapter's shape. */
export function virtualTokensOf(kind: SpanKind, shape: readonly number[]): number {
  return kind === 'none' ? 0 : shape[kind === 'prefix' ? 2 : 0]!;
}

/** The sequences of a step as the graphs take them: [B, S], padding among them. */
export function paddedShape({ hiddenStates: { shape }, packed }: StepInputs): readonly [batch: number, sequence: number] {
  return packed === undefined ? [shape[0]!, shape[1]!] : [packed.lengths.length, packed.sequence];
}

/** Rows of a step's sequences as they were sent, and of its soft prompt. */
export function sentRows({ hiddenStates, adapter }: StepInputs): number {
  return promptRowsOf(adapter) + hiddenStates.shape.slice(0, -1).reduce((product, dim) => product * dim, 1);
}

/** Rows of a soft prompt; 0 without one. */
export function promptRowsOf(adapter: AdapterInput): number {
  return adapter.kind === 'softPrompt' ? virtualTokensOf(adapter.kind, adapter.value.shape) : 0;
}

/** Where each sequence begins among the rows of the hidden states; last, where they end. */
export function sequenceStarts(inputs: StepInputs): readonly number[] {
  return inputs.packed === undefined ? paddedStarts(...paddedShape(inputs)) : packedStarts(inputs.packed.lengths);
}

/** The rows at `positions`, numbered as in padded hidden states. */
export function paddedPositions(inputs: StepInputs): Uint32Array {
  const { positions, adapter, packed } = inputs;
  // Little-endian 64-bit integers below 2^32: the low words are the values. Faster than BigInts.
  const words = new Uint32Array(positions.buffer, positions.byteOffset, 2 * positions.length);
  const rows = new Uint32Array(positions.length);
  for (let i = 0; i < rows.length; i++) rows[i] = words[2 * i]!;
  if (packed === undefined) return rows;
  return renumbered(rows, { lead: promptRowsOf(adapter), from: sequenceStarts(inputs), to: paddedStarts(...paddedShape(inputs)) });
}

/** The tensors of a step, as they are kept. */
function stepTensors({ hiddenStates, adapter, positions }: CheckedInputs): NamedTensors {
  return {
    hiddenStates,
    ...(adapter.kind === 'none' ? {} : { [adapter.kind satisfies SpanKind]: adapter.value }),
    positions: tensor('int64', [positions.length], positions),
  };
}

/**
 * The feeds of one of a step's graphs: those of its inputs that are no residuals and no cotangents.
 * Graphs take packed rows or padded ones, whichever were sent; rows are padded with zeros.
 * @param names The graph's inputs.
 */
export function stepFeeds(inputs: CheckedInputs, names: readonly string[]): NamedTensors {
  const feeds = { ...stepTensors(inputs), ...rowFeeds(inputs, names) };
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => names.includes(name)));
}

/** Those of a vjp. @param wantHiddenStates whether the hidden states' cotangents are wanted */
export function vjpFeeds(inputs: CheckedInputs, names: readonly string[], wantHiddenStates: boolean): NamedTensors {
  const feeds = stepFeeds(inputs, names);
  return wantHiddenStates || !names.includes('cotangentRows') ? feeds : { ...feeds, cotangentRows: firstRows(0) };
}

/** The feeds in another form than that in which the step's rows are kept. */
function rowFeeds(inputs: CheckedInputs, names: readonly string[]): NamedTensors {
  const { hiddenStates, packed, positions } = inputs;
  if (takesPackedRows(names)) return packedFeeds(hiddenStates, packed ?? wholeSequences(hiddenStates.shape));
  if (packed === undefined) return {};
  const padded = BigInt64Array.from(paddedPositions(inputs), BigInt);
  return { hiddenStates: padRows(hiddenStates, packed), positions: tensor('int64', [positions.length], padded) };
}

/** A graph's cotangent of the hidden states, [R, d] or [B, S, d], in the shape that was sent. */
export function sentCotangent({ hiddenStates, packed }: CheckedInputs, cotangent: Tensor<'float32'>): Tensor<'float32'> {
  if (cotangent.shape.length === 3) return packed === undefined ? cotangent : packRows(cotangent, packed);
  return packed === undefined ? f32(hiddenStates.shape, cotangent.data) : tokenRows(cotangent, packed);
}

/** Bytes of a step's inputs. */
export function stepInputBytes(inputs: CheckedInputs): number {
  return tensorBytes(Object.values(stepTensors(inputs)));
}

/** Bytes that padding a step's packed rows takes, beside them. */
export function paddingBytes(inputs: CheckedInputs): number {
  if (inputs.packed === undefined) return 0;
  const [batch, sequence] = paddedShape(inputs);
  return batch * sequence * inputs.hiddenStates.shape.at(-1)! * Float32Array.BYTES_PER_ELEMENT;
}

/**
 * sha256 over names, shapes and bytes of a step's inputs: equal digests mean the same step. Packed
 * rows are another step than the same rows with padding, for their answers have another shape.
 */
export function stepDigest(inputs: CheckedInputs): string {
  const hash = createHash('sha256');
  if (inputs.packed !== undefined) hash.update(`lengths ${inputs.packed.lengths.join(',')}\n`);
  for (const [name, { dtype, shape, data }] of Object.entries(stepTensors(inputs))) {
    hash.update(`${name} ${dtype} ${shape.join(',')}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('base64');
}
