/**
 * The settings of all methods as plain tables: defaults, bounds and readers. Flags and help are
 * made of them without the schema (settings.ts), which takes its values from here.
 */
import type { MethodName } from './adapter.js';

/** First values of a prompt. A prefix takes RANDOM, or TEXT for real keys and values. */
export const promptInits = ['SAMPLE_VOCAB', 'TEXT', 'RANDOM'] as const;
/** The encoders of P-tuning. */
export const promptEncoders = ['MLP', 'LSTM'] as const;

/** The settings of all methods, with their defaults filled in. */
export interface MethodSettings {
  /** Rows of a soft prompt, or virtual tokens of a prefix. */
  readonly virtualTokens: number;
  /** Default: SAMPLE_VOCAB for a prompt, RANDOM for a prefix. */
  readonly init?: (typeof promptInits)[number] | undefined;
  readonly initText?: string | undefined;
  /** Of P-tuning. */
  readonly encoder: (typeof promptEncoders)[number];
  /** Width of P-tuning's encoder or of a prefix's projection. Default: the model's hidden size. */
  readonly encoderHidden?: number | undefined;
  /** Layers of P-tuning's encoder (PEFT's MLP always has its own). */
  readonly encoderLayers: number;
  readonly prefixProjection: boolean;
  /** Multitask: names of the tasks, in the order of their ids. */
  readonly tasks: readonly string[];
  /** Multitask: rank of a task's own factor. */
  readonly taskRank: number;
  /** Trainable tokens: texts, each of exactly one token. */
  readonly tokens: readonly string[];
  /** LoRA's r. */
  readonly rank: number;
  /** LoRA's alpha: the scale is alpha / rank. */
  readonly alpha: number;
  /** Module suffixes (`q_proj`, `lm_head`). Default: LoRA query and value; full training: all. */
  readonly targets: readonly string[];
  /** Classification: names of the classes, in the order of their ids. */
  readonly labels: readonly string[];
  /** Of every first value that is drawn. */
  readonly seed: number;
}

/** What a caller gives: every setting is optional. */
export type MethodSettingsInput = { readonly [Name in keyof MethodSettings]?: MethodSettings[Name] | undefined };

/** The settings of the flags: all but the seed, which belongs to the whole run. */
export type SettingName = keyof Omit<MethodSettings, 'seed'>;

/** The settings when nothing is given. */
export const settingDefaults = {
  virtualTokens: 16,
  encoder: 'MLP',
  encoderLayers: 2,
  prefixProjection: false,
  tasks: [],
  taskRank: 1,
  tokens: [],
  rank: 8,
  alpha: 16,
  targets: [],
  labels: [],
  seed: 0,
} as const satisfies MethodSettings;

/** Least and most of the whole numbers, both inclusive. */
export const settingBounds = {
  virtualTokens: [1, 65_536],
  encoderHidden: [1, 1_000_000],
  encoderLayers: [1, 64],
  taskRank: [1, 65_536],
  rank: [1, 65_536],
} as const satisfies { readonly [Name in SettingName]?: readonly [least: number, most: number] };

/** Most entries of a list. */
export const MAX_LIST = 100_000;

/** The methods that read each setting; a setting that no method of the run reads is refused. */
export const settingReaders: { readonly [Name in SettingName]-?: readonly MethodName[] } = {
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
export function isRead(setting: SettingName, names: string): boolean {
  const chosen = names.split('+');
  return settingReaders[setting].some((method) => chosen.includes(method));
}
