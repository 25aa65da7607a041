/** The closed table of methods, and how adapters are made from names and settings. */
import { CutlayerError } from '../../../src/errors.js';
import { type Adapter, type MethodName, methodNames } from './adapter.js';
import { classificationHead } from './classification-head.js';
import { combine } from './combine.js';
import type { AdapterContext } from './context.js';
import { fullTraining } from './full.js';
import { lora } from './lora.js';
import type { Method } from './method.js';
import type { LearningRateWith } from './method-table.js';
import { multitaskPromptTuning } from './multitask.js';
import { pTuning } from './p-tuning.js';
import { prefixTuning } from './prefix.js';
import { type MethodSettings, type MethodSettingsInput, settingReaders } from './setting-table.js';
import { methodSettings } from './settings.js';
import { promptTuning } from './soft-prompt.js';
import { trainableTokens } from './trainable-tokens.js';

/** One row per method, each from the method's own file. */
export const methods: { readonly [M in MethodName]: Method } = {
  'prompt-tuning': promptTuning,
  'p-tuning': pTuning,
  'prefix-tuning': prefixTuning,
  'multitask-prompt-tuning': multitaskPromptTuning,
  'trainable-tokens': trainableTokens,
  lora,
  full: fullTraining,
  'classification-head': classificationHead,
};

/** Whether a string names a method. */
export function isMethodName(name: string): name is MethodName {
  return (methodNames as readonly string[]).includes(name);
}

/**
 * Makes a new adapter. @param names One method, or several joined by `+` (`prompt-tuning+lora`).
 * @throws CutlayerError INVALID_ARGUMENT: unknown method, place filled twice, bad setting
 */
export async function createAdapter(context: AdapterContext, names: string, given: MethodSettingsInput = {}): Promise<Adapter> {
  const rows = methodRows(names);
  const settings = methodSettings(given);
  refuseIdle(names, rows, settings);
  const adapters: Adapter[] = [];
  for (const row of rows) adapters.push(await row.create(context, settings));
  if (adapters.length === 1) return adapters[0]!;
  const combined = combine(context, adapters);
  // Two that fill the same place are refused now, and not in the first step.
  await combined.parts(combined.tasks === undefined ? undefined : 0);
  return combined;
}

/** Lists about the data: without a method that reads them the run would not be what was asked. */
const lists = ['labels', 'tasks', 'tokens'] as const;

/** @throws CutlayerError INVALID_ARGUMENT for a list or an init text that nothing reads */
function refuseIdle(names: string, rows: readonly Method[], settings: MethodSettings): void {
  if (settings.initText !== undefined && settings.init !== 'TEXT') {
    const got = settings.init === undefined ? 'none was given' : `got ${settings.init}`;
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `initText: only --init TEXT (init) begins with it, ${got}; give that, or leave --init-text out`,
    );
  }
  for (const setting of lists) {
    const readers = settingReaders[setting];
    if (settings[setting].length === 0 || rows.some(({ method }) => readers.includes(method))) continue;
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `${setting}: only ${readers[0]} reads them; use the method ${names}+${readers[0]}, or leave them out`,
    );
  }
}

/**
 * The learning rate to begin with when none is given: the method's own, of several the smallest.
 * @param names One method, or several joined by `+`. @throws CutlayerError INVALID_ARGUMENT
 */
export function defaultLearningRate(names: string, given: Pick<MethodSettingsInput, 'encoder' | 'prefixProjection'> = {}): number {
  const settings = methodSettings({ encoder: given.encoder, prefixProjection: given.prefixProjection });
  const holds = ({ settings: wanted }: LearningRateWith) =>
    (Object.keys(wanted) as (keyof typeof wanted)[]).every((name) => settings[name] === wanted[name]);
  return Math.min(...methodRows(names).map((row) => row.learningRatesWith?.find(holds)?.learningRate ?? row.learningRate));
}

/** The rows of one or more methods joined by `+`. @throws CutlayerError INVALID_ARGUMENT */
export function methodRows(names: string): readonly Method[] {
  const wanted = names.split('+').map((name) => name.trim());
  wanted.forEach((name, at) => {
    if (wanted.indexOf(name) !== at) throw new CutlayerError('INVALID_ARGUMENT', `method ${names}: ${name} is named twice`);
  });
  return wanted.map((name) => {
    const row = isMethodName(name) ? methods[name] : undefined;
    if (row !== undefined) return row;
    throw new CutlayerError('INVALID_ARGUMENT', `method: expected ${Object.keys(methods).join(', ')}, or several joined by +; got ${name}`);
  });
}
