/** Charges the calls of the split service in the gateway's ledger (docs/metering.md). */
import { createHash } from 'node:crypto';
import type { SpanKind } from '../../artifacts/manifest.js';
import type { Tensor as WireTensor } from '../../protocol/wire/generated/cutlayer/v1/Tensor.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { KeptStep } from '../engine/engine.js';
import { type CheckedInputs, sentRows, stepDigest } from '../engine/step-inputs.js';
import { partOf } from '../ledger/charge.js';
import type { Ledger } from '../ledger/ledger.js';

/** The tensors of a call and of its answer, as they crossed. */
export interface Crossed {
  readonly in: readonly (WireTensor | null | undefined)[];
  readonly out: readonly (WireTensor | null | undefined)[];
}

/** A call of a step. */
export interface MeteredCall extends Crossed {
  readonly tenant: string;
  readonly stepId: string;
}

/** The charges of the split service. Each is durable when its promise resolves. */
export interface StepMeter {
  /** @throws CutlayerError UNAVAILABLE, QUEUE_FULL */
  forward(call: MeteredCall, inputs: StepSize): Promise<void>;
  /** @param cotangent as {@link cotangentDigest} gives it */
  backward(call: MeteredCall, step: StepSize, cotangent: string): Promise<void>;
  /** A call without an id: its text is its key. @param digest of the hidden states */
  keyValues(call: Omit<MeteredCall, 'stepId'>, rows: number, digest: string): Promise<void>;
}

/** What of a step is counted. It is taken before the inputs are transferred to a worker. */
export interface StepSize {
  readonly rows: number;
  readonly adapter: SpanKind;
  readonly digest: string;
}

/** A step's rows: those of its sequences, padding too where it was sent, and of a soft prompt. */
export function sizeOf(inputs: CheckedInputs, digest = stepDigest(inputs)): StepSize {
  return { rows: sentRows(inputs), adapter: inputs.adapter.kind, digest };
}

/** The size of a step that the engine holds. */
export const sizeOfKept = ({ inputs, digest }: KeptStep): StepSize => sizeOf(inputs, digest);

/** A digest of a tensor's values. */
export function valuesDigest({ shape, data }: Tensor<'float32'>): string {
  const values = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return createHash('sha256')
    .update(`${shape.join(',')}\n`)
    .update(values)
    .digest('base64');
}

/** The digest of a backward's request. @param cotangent the digest of its values */
export const cotangentDigest = (cotangent: string, wantHiddenStates: boolean): string => `${cotangent} ${wantHiddenStates}`;

/** Charges calls of a backbone; without a ledger, none. @param model the backbone's digest */
export function stepMeter(ledger: Ledger | undefined, model: string): StepMeter {
  if (ledger === undefined) return { forward: async () => {}, backward: async () => {}, keyValues: async () => {} };
  return {
    async forward({ tenant, stepId, ...crossed }, { rows, adapter, digest }) {
      const amounts = { forward: rows, calls: 1, ...bytesOf(crossed) };
      await ledger.charge({ tenant, kind: 'forward', id: stepId, part: partOf(model, digest), adapter, amounts });
    },
    async backward({ tenant, stepId, ...crossed }, { rows, adapter, digest }, cotangent) {
      const amounts = { backward: rows, calls: 1, ...bytesOf(crossed) };
      await ledger.charge({ tenant, kind: 'backward', id: stepId, part: partOf(model, digest, cotangent), adapter, amounts });
    },
    async keyValues({ tenant, ...crossed }, rows, digest) {
      const amounts = { forward: rows, calls: 1, ...bytesOf(crossed) };
      await ledger.charge({ tenant, kind: 'keyValues', id: '', part: partOf(model, digest), adapter: 'none', amounts });
    },
  };
}

function bytesOf({ in: received, out }: Crossed): { readonly bytesIn: number; readonly bytesOut: number } {
  return { bytesIn: sizeOfAll(received), bytesOut: sizeOfAll(out) };
}

/** Bytes of values and of the scales of rows, without framing: what a client counts too. */
const sizeOfAll = (tensors: Crossed['in']): number =>
  tensors.reduce((sum, tensor) => sum + byteLength(tensor?.data) + byteLength(tensor?.scales), 0);

const byteLength = (bytes: Uint8Array | Buffer | string | undefined): number => bytes?.length ?? 0;
