/**
 * Instruction data as PEFT's users train on it. One instruction begins every example, an input and
 * a completion of varying lengths follow, and only completions carry loss.
 */
import type { Example } from '../../clients/typescript/index.js';
import { seeded } from '../../test/support/random.js';

/** Sizes of a batch, in tokens; ranges include both ends. */
export interface InstructionSize {
  readonly batch: number;
  readonly instruction: number;
  readonly input: readonly [least: number, most: number];
  readonly completion: readonly [least: number, most: number];
  readonly virtualTokens: number;
}

/** Batches of random tokens that share their instruction; the same for the same seed. */
export function instructionBatches(vocabSize: number, size: InstructionSize, count: number, seed = 1): readonly (readonly Example[])[] {
  const random = seeded(seed);
  const below = (bound: number): number => Math.floor(random() * bound);
  const tokens = (length: number): readonly number[] => Array.from({ length }, () => below(vocabSize));
  const within = ([least, most]: readonly [number, number]): number => least + below(most - least + 1);
  const instruction = tokens(size.instruction);
  return Array.from({ length: count }, (_, at) =>
    Array.from({ length: size.batch }, (__, sequence) => {
      const prompt = [...instruction, ...tokens(within(size.input))];
      const completion = tokens(within(size.completion));
      return {
        tokenIds: Int32Array.from([...prompt, ...completion]),
        labelMask: Uint8Array.from([...prompt.map(() => 0), ...completion.map(() => 1)]),
        promptLength: prompt.length,
        source: `instructions:${at}:${sequence}`,
      };
    }),
  );
}

/** Text tokens of a batch, and of one that is padded to its longest example. */
export function tokensOf(batch: readonly Example[]): { readonly real: number; readonly padded: number } {
  const lengths = batch.map(({ tokenIds }) => tokenIds.length);
  return { real: lengths.reduce((sum, length) => sum + length, 0), padded: batch.length * Math.max(...lengths) };
}

/**
 * Bytes that Petals sends in a step: 5 B (P + S) d values, S the longest sequence. The prompt's
 * rows are in each sequence, and inputs are sent again for the vjp.
 * @param d The hidden size. @param valueBytes Of one value on the wire.
 */
export function petalsBytes(batch: readonly Example[], virtualTokens: number, d: number, valueBytes: number): number {
  return 5 * (batch.length * virtualTokens + tokensOf(batch).padded) * d * valueBytes;
}
