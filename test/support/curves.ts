/** Reads the training curves that PEFT made (`test/fixtures/<name>/curves.json`). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Example } from '../../clients/typescript/index.js';
import { packageRoot } from '../../src/files/package-root.js';
import { readTensors } from '../../src/safetensors/tensors-file.js';
import type { Tensor } from '../../src/tensor/tensor.js';

/** One curve. */
export interface Curve {
  readonly method: 'softPrompt' | 'prefix';
  readonly schedule: {
    readonly kind: 'constant' | 'cosine';
    readonly warmupSteps: number;
    readonly totalSteps: number;
    readonly maxGradNorm: number | null;
  };
  readonly initial: string;
  readonly final: string;
  readonly losses: readonly number[];
  readonly learningRates: readonly number[];
  readonly gradientNorms: readonly number[];
}

interface CurvesJson {
  readonly optimizer: {
    readonly learningRate: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly epsilon: number;
    readonly weightDecay: number;
  };
  readonly batchOfStep: readonly number[];
  readonly batches: readonly {
    readonly tokenIds: readonly (readonly number[])[];
    readonly lengths: readonly number[];
    readonly labels: readonly (readonly number[])[];
  }[];
  readonly curves: readonly Curve[];
}

/** A fixture's curves, its batches as examples, and its adapters. */
export interface Curves extends Omit<CurvesJson, 'batches'> {
  readonly batches: readonly (readonly Example[])[];
  readonly tensors: ReadonlyMap<string, Tensor<'float32'>>;
}

/** Reads a fixture's curves. */
export async function readCurves(name: string): Promise<Curves> {
  const dir = join(packageRoot(), 'test/fixtures', name);
  const json = JSON.parse(readFileSync(join(dir, 'curves.json'), 'utf8')) as CurvesJson;
  const { tensors } = await readTensors(join(dir, 'curves.safetensors'));
  const batches = json.batches.map(({ tokenIds, lengths, labels }) =>
    lengths.map((length, b) => ({
      tokenIds: Int32Array.from(tokenIds[b]!.slice(0, length)),
      labelMask: Uint8Array.from(labels[b]!.slice(0, length), (label) => (label === -100 ? 0 : 1)),
      promptLength: 0,
      source: `${name}:${b}`,
    })),
  );
  return { ...json, batches, tensors: tensors as ReadonlyMap<string, Tensor<'float32'>> };
}
