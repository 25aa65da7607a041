/** Which methods read which setting. A given setting that no method of the run reads is refused. */
import type { MethodName } from './adapter.js';
import type { MethodSettings } from './settings.js';

/** All but the seed, which belongs to every method. */
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
