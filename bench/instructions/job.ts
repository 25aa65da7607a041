/** What both sides train on, in one folder: the batches, and the prompt that they start from. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Example, SoftPrompt } from '../../clients/typescript/index.js';
import { type Model, openBundle } from '../session.js';
import { type InstructionSize, instructionBatches } from './workload.js';

/** An example as python reads it; tokens from `promptLength` on carry loss. */
type StoredExample = { readonly tokenIds: readonly number[]; readonly promptLength: number };

/** The optimizer of both sides. */
export const optimizer = { learningRate: 1e-3, weightDecay: 0.01 } as const;

/** A job in a folder. */
export interface Job {
  readonly batchesFile: string;
  /** The prompt before the first step, in PEFT's format. */
  readonly adapterDir: string;
  readonly batches: readonly (readonly Example[])[];
  readonly hiddenSize: number;
}

/** Writes a job. @param count batches */
export async function writeJob(dir: string, model: Model, size: InstructionSize, count: number): Promise<Job> {
  const bundle = await openBundle(model.packedDir);
  try {
    const batches = instructionBatches(bundle.vocabSize, size, count);
    const stored = batches.map((batch) =>
      batch.map(({ tokenIds, promptLength }): StoredExample => ({ tokenIds: [...tokenIds], promptLength })),
    );
    const [batchesFile, adapterDir] = [join(dir, 'batches.json'), join(dir, 'adapter')];
    writeFileSync(batchesFile, JSON.stringify(stored));
    await (await SoftPrompt.create(bundle, size.virtualTokens, { init: 'SAMPLE_VOCAB', seed: 1 })).save(adapterDir);
    return { batchesFile, adapterDir, batches, hiddenSize: bundle.dims.hiddenSize };
  } finally {
    await bundle.close();
  }
}

/** The batches of a job, as a client takes them. */
export function readBatches(batchesFile: string): readonly (readonly Example[])[] {
  const stored = JSON.parse(readFileSync(batchesFile, 'utf8')) as readonly (readonly StoredExample[])[];
  return stored.map((batch) =>
    batch.map(({ tokenIds, promptLength }, at) => ({
      tokenIds: Int32Array.from(tokenIds),
      labelMask: Uint8Array.from(tokenIds, (_, token) => (token < promptLength ? 0 : 1)),
      promptLength,
      source: `${batchesFile}:${at}`,
    })),
  );
}
