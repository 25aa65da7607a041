/** The inputs of one step: checked against the backbone's dims, digested, sized, and turned into a graph's feeds. */
import { createHash } from 'node:crypto';
import type { AdapterKind, Dims } from '../../artifacts/manifest.js';
import { CutlayerError } from '../../errors.js';
import type { NamedTensors } from '../../runtime/protocol.js';
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

/**
 * Checks every shape and index of a step against the backbone.
 * @throws CutlayerError INVALID_SHAPE, INVALID_ARGUMENT, LIMIT_EXCEEDED
 */
export function checkStepInputs({ hiddenStates, adapter, positions }: StepInputs, dims: Dims): void {
  expectShape('hiddenStates', hiddenStates, ['*', '*', dims.hiddenSize]);
  const [batch, sequence] = hiddenStates.shape as readonly [number, number];
  let virtualTokens = 0;
  if (adapter.kind === 'softPrompt') {
    expectShape('softPrompt', adapter.value, ['*', dims.hiddenSize]);
    virtualTokens = adapter.value.shape[0]!;
  } else if (adapter.kind === 'prefix') {
    expectShape('prefix', adapter.value, [dims.numLayers, 2, '*', dims.numKvHeads, dims.headDim]);
    virtualTokens = adapter.value.shape[2]!;
  }
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
}

/**
 * Checks a tensor's type, rank and dims (`*`: any from 1).
 * @throws CutlayerError INVALID_DTYPE, INVALID_SHAPE
 */
export function expectShape(name: string, value: Tensor, wanted: readonly (number | '*')[]): void {
  if (value.dtype !== 'float32') throw new CutlayerError('INVALID_DTYPE', `${name}: expected float32, got ${value.dtype}`);
  const { shape } = value;
  const fits = shape.length === wanted.length && wanted.every((dim, axis) => (dim === '*' ? shape[axis]! >= 1 : shape[axis] === dim));
  if (!fits || elementCount(shape) !== value.data.length) {
    throw new CutlayerError(
      'INVALID_SHAPE',
      `${name}: expected [${wanted.join(', ')}], got [${shape.join(', ')}] with ${value.data.length} elements`,
    );
  }
}

/** The feeds that a step gives to the graphs of its kind. */
export function stepFeeds({ hiddenStates, adapter, positions }: StepInputs): NamedTensors {
  return {
    hiddenStates,
    ...(adapter.kind === 'none' ? {} : { [adapter.kind satisfies AdapterKind]: adapter.value }),
    positions: tensor('int64', [positions.length], positions),
  };
}

/** Bytes that keeping a step's inputs takes. */
export function stepInputBytes(inputs: StepInputs): number {
  return Object.values(stepFeeds(inputs)).reduce((bytes, { data }) => bytes + data.byteLength, 0);
}

/** sha256 over names, shapes and bytes of a step's inputs: equal digests mean the same step. */
export function stepDigest(inputs: StepInputs): string {
  const hash = createHash('sha256');
  for (const [name, { dtype, shape, data }] of Object.entries(stepFeeds(inputs))) {
    hash.update(`${name} ${dtype} ${shape.join(',')}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('base64');
}
