/** The settings of all methods, with defaults: flags of `client train`, keys of a run's file. */
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import type { MethodName } from './adapter.js';

/** First values of a prompt. A prefix takes RANDOM, or TEXT for real keys and values. */
export const promptInits = ['SAMPLE_VOCAB', 'TEXT', 'RANDOM'] as const;
/** The encoders of P-tuning. */
export const promptEncoders = ['MLP', 'LSTM'] as const;

const texts = z.array(z.string().min(1)).max(100_000);

/** The schema, with the default of each. */
export const methodSettingsSchema = z.strictObject({
  /** Rows of a soft prompt, or virtual tokens of a prefix. */
  virtualTokens: z.int().min(1).max(65_536).default(16),
  /** Default: SAMPLE_VOCAB for a prompt, RANDOM for a prefix. */
  init: z.enum(promptInits).optional(),
  initText: z.string().min(1).optional(),
  /** Of P-tuning. */
  encoder: z.enum(promptEncoders).default('MLP'),
  /** Width of P-tuning's encoder or of a prefix's projection. Default: the model's hidden size. */
  encoderHidden: z.int().min(1).max(1_000_000).optional(),
  /** Layers of P-tuning's encoder (PEFT's MLP always has its own). */
  encoderLayers: z.int().min(1).max(64).default(2),
  prefixProjection: z.boolean().default(false),
  /** Multitask: names of the tasks, in the order of their ids. */
  tasks: texts.default([]),
  /** Multitask: rank of a task's own factor. */
  taskRank: z.int().min(1).max(65_536).default(1),
  /** Trainable tokens: texts, each of exactly one token. */
  tokens: texts.default([]),
  /** LoRA's r. */
  rank: z.int().min(1).max(65_536).default(8),
  /** LoRA's alpha: the scale is alpha / rank. */
  alpha: z.number().positive().default(16),
  /** Module suffixes (`q_proj`, `lm_head`). Default: LoRA query and value; full training: all. */
  targets: texts.default([]),
  /** Classification: names of the classes, in the order of their ids. */
  labels: texts.default([]),
  /** Of every first value that is drawn. */
  seed: z.int().min(0).default(0),
});

/** The settings of all methods, with their defaults. */
export type MethodSettings = z.infer<typeof methodSettingsSchema>;
/** What a caller gives: every setting is optional. */
export type MethodSettingsInput = z.input<typeof methodSettingsSchema>;

/** The methods that read each setting; a setting that no method of the run reads is refused. */
export const settingReaders: { readonly [Name in keyof Omit<MethodSettings, 'seed'>]-?: readonly MethodName[] } = {
  virtualTokens: ['prompt-tuning', 'p-tuning', 'prefix-tuning', 'multitask-prompt-tuning'],
  init: ['prompt-tuning', 'p-tuning', 'prefix-tuning', 'multitask-prompt-tuning'],
  initText: ['prompt-tuning', 'prefix-tuning', 'multitask-prompt-tuning'],
  encoder: ['p-tuning'],
  encoderHidden: ['p-tuning', 'prefix-tuning'],
  encoderLayers: ['p-tuning'],
  prefixProjection: ['prefix-tuning'],
  tasks: ['multitask-prompt-tuning'],
  taskRank: ['multitask-prompt-tuning'],
  tokens: ['trainable-tokens'],
  rank: ['lora'],
  alpha: ['lora'],
  targets: ['lora', 'full'],
  labels: ['classification-head'],
};

/** Whether one of the methods reads it. @param names One method, or several joined by `+`. */
export function isRead(setting: keyof typeof settingReaders, names: string): boolean {
  const chosen = names.split('+');
  return settingReaders[setting].some((method) => chosen.includes(method));
}

/** Fills in the defaults. @throws CutlayerError INVALID_ARGUMENT naming the setting */
export function methodSettings(given: MethodSettingsInput = {}): MethodSettings {
  // A caller's `undefined` means: not given.
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const parsed = methodSettingsSchema.safeParse(present);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CutlayerError('INVALID_ARGUMENT', `${issue?.path.join('.') || 'settings'}: ${issue?.message ?? 'invalid'}`);
}
