/** Sequences of random tokens, the same on every machine, with the fields of all methods. */
import type { Example } from '../clients/typescript/data/examples.js';
import type { StepSize } from './compiler.js';

/** Fields beside the tokens. */
export interface ExampleExtras {
  /** Every other token is one of the first `tokens` ids, which are trained. */
  readonly tokens?: number;
  /** A task for each sequence, in turn. */
  readonly tasks?: number;
  /** A class for each sequence, in turn. */
  readonly classes?: number;
}

/** `batch` examples of `sequence` tokens, loss on every one. */
export function randomExamples(
  vocabSize: number,
  { batch, sequence }: StepSize,
  extras: ExampleExtras = {},
  seed = 12345,
): readonly Example[] {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % vocabSize;
  };
  const { tokens, tasks, classes } = extras;
  return Array.from({ length: batch }, (_, b) => ({
    tokenIds: Int32Array.from({ length: sequence }, (_, s) => (tokens !== undefined && s % 2 === 0 ? next() % tokens : next())),
    labelMask: new Uint8Array(sequence).fill(1),
    promptLength: 0,
    source: `random:${b}`,
    ...(tasks === undefined ? {} : { task: b % tasks }),
    ...(classes === undefined ? {} : { classLabel: b % classes }),
  }));
}
