/** What an attacker of these scripts has: a token of one tenant, and a gateway over gRPC. */
import type { Metadata } from '@grpc/grpc-js';
import { CutlayerError } from '../../../../src/errors.js';
import { decodeTensor, encodeTensor } from '../../../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../../../src/tensor/tensor.js';
import { bearer, splitCalls, type TestGateway } from '../../../support/test-gateway.js';

/** The calls, in arrays. */
export interface Access {
  readonly hiddenSize: number;
  /** One text of rows. @returns all of its rows */
  forward(
    rows: readonly Float32Array[],
    options?: { readonly training?: boolean },
  ): Promise<{ readonly stepId: string; readonly rows: Float32Array[] }>;
  /** @returns the cotangent of the text's rows */
  backward(stepId: string, cotangent: readonly Float32Array[]): Promise<Float32Array[]>;
}

/** A tenant's access. */
export async function accessOf(gateway: TestGateway, tenant: string): Promise<Access> {
  const calls = splitCalls(gateway.connect());
  const metadata: Metadata = bearer(await gateway.token({ tenant }));
  const { backboneDigest, engine } = gateway.gateway;
  const { hiddenSize } = engine.artifact.manifest.dims;
  let steps = 0;
  const flat = (rows: readonly Float32Array[]): Float32Array => Float32Array.from(rows.flatMap((row) => [...row]));
  const rowsOf = (data: Float32Array): Float32Array[] =>
    Array.from({ length: data.length / hiddenSize }, (_, row) => data.slice(row * hiddenSize, (row + 1) * hiddenSize));
  return {
    hiddenSize,
    async forward(rows, { training = false } = {}) {
      const stepId = `step-${steps++}`;
      const hiddenStates = encodeTensor(f32([1, rows.length, hiddenSize], flat(rows)), 'f32');
      const answer = await calls.forward({ stepId, backboneDigest, hiddenStates, lengths: [rows.length], training }, metadata);
      return { stepId, rows: rowsOf(decodeTensor(answer.hiddenStates, { name: 'rows', shape: [rows.length, hiddenSize] }).data) };
    },
    async backward(stepId, cotangent) {
      const message = encodeTensor(f32([cotangent.length, hiddenSize], flat(cotangent)), 'f32');
      const answer = await calls.backward({ stepId, cotangent: message, wantHiddenStates: true }, metadata);
      return rowsOf(decodeTensor(answer.hiddenStatesCotangent, { name: 'cotangent', shape: [1, cotangent.length, hiddenSize] }).data);
    },
  };
}

/** How far an attack came. */
export interface Outcome {
  /** Rows of the Jacobian that it has. */
  readonly obtained: number;
  /** What ended it; undefined when it has all. */
  readonly refusal: CutlayerError | undefined;
}

/** Takes one piece after another, until one is refused by a policy. */
export async function collect(pieces: number, take: (piece: number) => Promise<unknown>): Promise<Outcome> {
  for (let obtained = 0; obtained < pieces; obtained++) {
    try {
      await take(obtained);
    } catch (caught) {
      const refusal = CutlayerError.from(caught);
      if (refusal.code !== 'PROTECTION_REFUSED') throw caught;
      return { obtained, refusal };
    }
  }
  return { obtained: pieces, refusal: undefined };
}

/** A row with one value. */
export function basis(width: number, feature: number, value = 1): Float32Array {
  const row = new Float32Array(width);
  row[feature] = value;
  return row;
}
