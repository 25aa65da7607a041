/** What is said of each method in help and docs, apart from its work (registry.ts). */
import type { MethodName } from './adapter.js';
import type { MethodSettings } from './setting-table.js';

/** Settings that change what a method trains, and its learning rate with them. */
export interface LearningRateWith {
  readonly settings: Partial<Pick<MethodSettings, 'encoder' | 'prefixProjection'>>;
  readonly learningRate: number;
}

/** A row of the table. */
export interface MethodDescription {
  /** One line for `--help` and the docs. */
  readonly summary: string;
  /**
   * Default learning rate of AdamW. Measured on the demo's backbone and data (`demo/`: 4 blocks,
   * d = 192), 8 examples a step, cosine schedule, norm clipped at 1. It trains well in 60 steps,
   * and three times the rate does not diverge. Weights of the model and of networks have the lower
   * of such rates: larger models want less there. A row's comment has mean losses of the last five
   * steps; they begin at 2.0 to 2.4 (seed 0).
   */
  readonly learningRate: number;
  /** Other rates, by settings; the first match counts. */
  readonly learningRatesWith?: readonly LearningRateWith[];
}

/** In the order in which they are shown. */
export const methodTable: { readonly [M in MethodName]: MethodDescription } = {
  'prompt-tuning': {
    summary: 'trainable rows before the text',
    // After 60 steps 0.003 is at 0.21; 0.01 is at 0.03 and 0.03 at 0.002 after 40.
    learningRate: 0.01,
  },
  'p-tuning': {
    summary: 'rows before the text, made by a trained encoder (MLP or LSTM)',
    // MLP: 0.10 after 60 steps, 0.0003 is at 0.21; after 40, 0.001 is ahead of 0.003 from two
    // seeds. LSTM: 0.35 after 60; after 40, 0.003 is ahead of 0.0003, 0.001 and 0.01.
    learningRate: 0.001,
    learningRatesWith: [{ settings: { encoder: 'LSTM' }, learningRate: 0.003 }],
  },
  'prefix-tuning': {
    summary: 'trainable keys and values in every block',
    // The lower of the rates that work: 0.02 after 120 steps (0.5 after 60). 0.3 is at 0.002 after
    // 60, but each of its steps is a fifth of a wide model's spread of keys. 0.01 (from a spread of
    // 0.02) is at 2.1 after 40. Projected: 0.02 after 60; after 40, 0.01 is at 0.005 and 0.03 at
    // 0.02.
    learningRate: 0.1,
    learningRatesWith: [{ settings: { prefixProjection: true }, learningRate: 0.003 }],
  },
  'multitask-prompt-tuning': {
    summary: 'rows before the text: a shared prompt times a low-rank matrix of each task',
    // From 2.3 to 0.12 in 60 steps (two tasks, one of them harder); 0.03 is ahead of it after 40.
    learningRate: 0.01,
  },
  'trainable-tokens': {
    summary: 'rows of the embedding (and of a head tied to it) for some tokens',
    // Two tokens hold little: 0.31 after 60 steps. After 40, 0.01 is at 1.34, 0.03 at 0.44, and 0.1
    // has been up at 4.6.
    learningRate: 0.03,
  },
  lora: {
    summary: 'low-rank updates of linear layers in the blocks that the client holds, and of the LM head',
    // After 60 steps 0.19 with blocks of a cut of (1, 1), 0.28 with the LM head alone. After 40,
    // 0.001 is at 1.9 and 0.01 at 0.03.
    learningRate: 0.003,
  },
  full: {
    summary: 'every weight of the blocks that the client holds',
    // 0.005 after 60 steps of a cut of (1, 1); after 40, 0.0001 is at 1.0 and 0.001 at 0.001.
    learningRate: 0.0003,
  },
  'classification-head': {
    summary: 'classes of the client’s own in place of the LM head',
    // Three classes, 1.1 at first: 0.20 after 60 steps, all of them right. After 40, 0.001 is at
    // 0.83; 0.01 and more rise at first.
    learningRate: 0.003,
  },
};
