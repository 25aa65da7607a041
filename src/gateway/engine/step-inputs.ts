/** The inputs of one step: checks, digest, size, and the feeds of a graph. */
import { createHash } from 'node:crypto';
import type { BackboneManifest, Dims, SpanKind } from '../../artifacts/manifest.js';
import { stepGraphsOf } from '../../artifacts/step-graphs.js';
import { CutlayerError } from '../../errors.js';
import type { NamedTensors } from '../../runtime/protocol.js';
import { type DimPattern, expectShape } from '../../tensor/shape.js';
import { elementCount, type Tensor, tensor } from '../../tensor/tensor.js';

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

/** Inputs that fit the backbone, with finite values; the service's parser makes them too. */
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

/**
 * Checks every shape and index of a step that came without a request. It does not check that the
 * values are finite.
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
  // The checks above are what the brand states.
  return inputs as CheckedInputs;
}

function expectTensor(name: keyof typeof stepShapes, { shape, data }: Tensor, dims: Dims): void {
  expectShape(name, shape, stepShapes[name](dims));
  if (elementCount(shape) !== data.length)
    throw new CutlayerError('INVALID_SHAPE', `${name}: expected ${elementCount(shape)} elements, got ${data.length} elements`);
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
