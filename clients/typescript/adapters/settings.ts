/** The schema of the methods' settings; defaults and bounds are those of setting-table.ts. */
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import {
  MAX_LIST,
  type MethodSettings,
  type MethodSettingsInput,
  promptEncoders,
  promptInits,
  settingBounds,
  settingDefaults,
} from './setting-table.js';

const texts = z.array(z.string().min(1)).max(MAX_LIST);
const within = ([least, most]: readonly [least: number, most: number]) => z.int().min(least).max(most);

const schema = z.strictObject({
  virtualTokens: within(settingBounds.virtualTokens),
  init: z.enum(promptInits).optional(),
  initText: z.string().min(1).optional(),
  encoder: z.enum(promptEncoders),
  encoderHidden: within(settingBounds.encoderHidden).optional(),
  encoderLayers: within(settingBounds.encoderLayers),
  prefixProjection: z.boolean(),
  tasks: texts,
  taskRank: within(settingBounds.taskRank),
  tokens: texts,
  rank: within(settingBounds.rank),
  alpha: z.number().positive(),
  targets: texts,
  labels: texts,
  seed: z.int().min(0),
} satisfies { readonly [Name in keyof MethodSettings]-?: z.ZodType<MethodSettings[Name]> });

/** Fills in the defaults. @throws CutlayerError INVALID_ARGUMENT naming the setting */
export function methodSettings(given: MethodSettingsInput = {}): MethodSettings {
  // A caller's `undefined` means: not given.
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const parsed = schema.safeParse({ ...settingDefaults, ...present });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CutlayerError('INVALID_ARGUMENT', `${issue?.path.join('.') || 'settings'}: ${issue?.message ?? 'invalid'}`);
}
