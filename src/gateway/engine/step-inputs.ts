/** The inputs of one step: checked against the backbone, digested, sized, and turned into a graph's feeds. */
import { createHash } from 'node:crypto';
import type { BackboneManifest, Dims, SpanKind } from '../../artifacts/manifest.js';
import { stepGraphsOf } from '../../artifacts/step-graphs.js';
import { CutlayerError } from '../../errors.js';
import type { NamedTensors } from '../../runtime/protocol.js';
import { type DimPattern, expectShape } from '../../tensor/shape.js';
import { elementCount, type Tensor, tensor } from '../../tensor/tensor.js';

/** What adapts the backbone in a step. */
export type AdapterInput =
  | { readonly kind: 'none' }
  /** `value` [P, hiddenSize]: computed once, shared by the batch. */
  | { readonly kind: 'softPrompt'; readonly value: Tensor<'float32'> }
  /** `value` [numLayers, 2, P, numKvHeads, headDim]: keys after rotary embedding, and values. */
  | { readonly kind: 'prefix'; readonly value: Tensor<'float32'> };

/** The inputs of a step. */
export interface StepInputs {
  /** [B, S, hiddenSize], right-padded. */
  readonly hiddenStates: Tensor<'float32'>;
  readonly adapter: AdapterInput;
  /** Rows wanted, as flat indexes: the soft prompt's P rows first, then token s of sequence b at P + b * S + s; at least one, increasing. */
  readonly positions: BigInt64Array;
}

declare const checked: unique symbol;

/** Inputs that fit the backbone and hold finite values: made by {@link checkInputs}, or by the service's parser. */
export type CheckedInputs = StepInputs & { readonly [checked]: true };

/** What the tensors of a step must look like. */
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

/**
 * Checks every shape and index of a step, for callers that have no request to parse; that values are finite, they know.
 * @throws CutlayerError ADAPTER_UNSUPPORTED, INVALID_SHAPE, INVALID_ARGUMENT, LIMIT_EXCEEDED
 */
export function checkInputs(inputs: StepInputs, manifest: BackboneManifest): CheckedInputs {
  const { hiddenStates, adapter, positions } = inputs;
  const { dims } = manifest;
  stepGraphsOf(manifest, adapter.kind);
  expectTensor('hiddenStates', hiddenStates, dims);
  if (adapter.kind !== 'none') expectTensor(adapter.kind, adapter.value, dims);
  const [batch, sequence] = hiddenStates.shape as readonly [number, number, number];
  const virtualTokens = adapter.kind === 'none' ? 0 : virtualTokensOf(adapter.kind, adapter.value.shape);
  if (virtualTokens + sequence > dims.maxPositions) {
    throw new CutlayerError(
      'LIMIT_EXCEEDED',
      `hiddenStates: ${virtualTokens} virtual + ${sequence} text tokens, the model has ${dims.maxPositions} positions; send shorter sequences`,
    );
  }
  const rows = (adapter.kind === 'softPrompt' ? virtualTokens : 0) + batch * sequence;
  if (positions.length === 0) throw new CutlayerError('INVALID_ARGUMENT', 'positions: expected at least one row index, got none');
  let previous = -1n;
  for (const position of positions) {
    if (position <= previous || position >= BigInt(rows)) {
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        `positions: expected increasing row indexes below ${rows}, got ${position} after ${previous}`,
      );
    }
    previous = position;
  }
  // All that the brand states has just been checked.
  return inputs as CheckedInputs;
}

function expectTensor(name: keyof typeof stepShapes, { shape, data }: Tensor, dims: Dims): void {
  expectShape(name, shape, stepShapes[name](dims));
  if (elementCount(shape) !== data.length)
    throw new CutlayerError('INVALID_SHAPE', `${name}: expected ${elementCount(shape)} elements, got ${data.length} elements`);
}

/** The feeds that a step gives to the graphs of its kind. */
export function stepFeeds({ hiddenStates, adapter, positions }: CheckedInputs): NamedTensors {
  return {
    hiddenStates,
    ...(adapter.kind === 'none' ? {} : { [adapter.kind satisfies SpanKind]: adapter.value }),
    positions: tensor('int64', [positions.length], positions),
  };
}

/** Bytes that keeping a step's inputs takes. */
export function stepInputBytes(inputs: CheckedInputs): number {
  return Object.values(stepFeeds(inputs)).reduce((bytes, { data }) => bytes + data.byteLength, 0);
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
