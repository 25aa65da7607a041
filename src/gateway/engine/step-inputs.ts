/** The inputs of one step: shapes, digest, size, and the feeds of a graph. */
import { createHash } from 'node:crypto';
import type { Dims, SpanKind } from '../../artifacts/manifest.js';
import type { NamedTensors } from '../../runtime/protocol.js';
import { tensorBytes } from '../../runtime/release.js';
import type { DimPattern } from '../../tensor/shape.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';

/** The adapter of a step. */
export type AdapterInput =
  | { readonly kind: 'none' }
  /** `value` [P, hiddenSize], shared by the batch. */
  | { readonly kind: 'softPrompt'; readonly value: Tensor<'float32'> }
  /** `value` [numLayers, 2, P, numKvHeads, headDim]: keys after rotary embedding, and values. */
  | { readonly kind: 'prefix'; readonly value: Tensor<'float32'> };

/** The inputs of a step. */
export interface StepInputs {
  /** [B, S, hiddenSize], right-padded. */
  readonly hiddenStates: Tensor<'float32'>;
  readonly adapter: AdapterInput;
  /**
   * Rows wanted, at least one, increasing. Rows 0..P-1 are the soft prompt's; row P + b * S + s is
   * token s of sequence b.
   */
  readonly positions: BigInt64Array;
}

declare const checked: unique symbol;

/** Inputs that fit the backbone, with finite values, as the service's parser makes them. */
export type CheckedInputs = StepInputs & { readonly [checked]: true };

/** The expected shapes of a step's tensors. */
export const stepShapes = {
  hiddenStates: ({ hiddenSize }) => ['*', '*', hiddenSize],
  softPrompt: ({ hiddenSize }) => ['*', hiddenSize],
  prefix: ({ numLayers, numKvHeads, headDim }) => [numLayers, 2, '*', numKvHeads, headDim],
  cotangent: ({ hiddenSize }) => ['*', hiddenSize],
} as const satisfies Readonly<Record<string, (dims: Dims) => readonly DimPattern[]>>;

/** The virtual tokens of an adapter's shape. */
export function virtualTokensOf(kind: SpanKind, shape: readonly number[]): number {
  return kind === 'none' ? 0 : shape[kind === 'prefix' ? 2 : 0]!;
}

/** The feeds of a step's graphs. */
export function stepFeeds({ hiddenStates, adapter, positions }: CheckedInputs): NamedTensors {
  return {
    hiddenStates,
    ...(adapter.kind === 'none' ? {} : { [adapter.kind satisfies SpanKind]: adapter.value }),
    positions: tensor('int64', [positions.length], positions),
  };
}

/** Bytes of a step's inputs. */
export function stepInputBytes(inputs: CheckedInputs): number {
  return tensorBytes(Object.values(stepFeeds(inputs)));
}

/** sha256 over names, shapes and bytes of a step's inputs: equal digests mean the same step. */
export function stepDigest(inputs: CheckedInputs): string {
  const hash = createHash('sha256');
  for (const [name, { dtype, shape, data }] of Object.entries(stepFeeds(inputs))) {
    hash.update(`${name} ${dtype} ${shape.join(',')}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('base64');
}
