/**
 * Rotary embedding settings in both dialects of `config.json`: `rope_theta` and `rope_scaling`
 * (transformers 4), `rope_parameters` (transformers 5). A setting that its type does not use is
 * refused by name.
 */
import { z } from 'zod';
import { type ConfigJson, parseKeys, positiveInt, positiveNumber, unsupported } from './config.js';
import type { PositionSpec, RopeSpec } from './spec.js';

/** The keys that {@link ropeOf} reads. */
export const ropeKeys = ['rope_theta', 'rope_scaling', 'rope_parameters', 'partial_rotary_factor'] as const;

export const ropeSettings = z.looseObject({
  rope_type: z.string().optional(),
  /** The name of `rope_type` in older configs. */
  type: z.string().optional(),
  rope_theta: positiveNumber.optional(),
  partial_rotary_factor: positiveNumber.max(1).optional(),
  factor: positiveNumber.nullish(),
  low_freq_factor: positiveNumber.nullish(),
  high_freq_factor: positiveNumber.nullish(),
  original_max_position_embeddings: positiveInt.nullish(),
  attention_factor: positiveNumber.nullish(),
  beta_fast: positiveNumber.nullish(),
  beta_slow: positiveNumber.nullish(),
  mscale: z.number().min(0).nullish(),
  mscale_all_dim: z.number().min(0).nullish(),
  truncate: z.boolean().nullish(),
  short_factor: z.array(positiveNumber).nullish(),
  long_factor: z.array(positiveNumber).nullish(),
});

export type RopeSettings = z.infer<typeof ropeSettings>;

const schema = z.object({
  rope_theta: positiveNumber.optional(),
  partial_rotary_factor: positiveNumber.max(1).nullish(),
  rope_scaling: ropeSettings.nullish(),
  rope_parameters: ropeSettings.nullish(),
});

/** The settings of each type, beside `rope_type` and `rope_theta`. */
const settingsOf = {
  default: [],
  linear: ['factor'],
  dynamic: ['factor'],
  yarn: [
    'factor',
    'original_max_position_embeddings',
    'attention_factor',
    'beta_fast',
    'beta_slow',
    'mscale',
    'mscale_all_dim',
    'truncate',
  ],
  longrope: ['factor', 'original_max_position_embeddings', 'attention_factor', 'short_factor', 'long_factor'],
  llama3: ['factor', 'original_max_position_embeddings', 'low_freq_factor', 'high_freq_factor'],
} as const satisfies Record<string, readonly (keyof RopeSettings)[]>;

/** A rope type, by transformers' name. */
export type RopeType = keyof typeof settingsOf;

export interface RopeContext {
  /** `max_position_embeddings` */
  readonly maxPositions: number;
  readonly headDim: number;
  /** Whether the family can rotate a part of each head; else `partial_rotary_factor` must be 1. */
  readonly partial?: boolean;
  /** The family's own key beside the settings, as in phi3; it takes precedence. */
  readonly originalMaxPositions?: number;
  /** The types that the family supports, by the names in its configs; all types by default. */
  readonly types?: Readonly<Record<string, RopeType>>;
}

const allTypes = Object.fromEntries(Object.keys(settingsOf).map((type) => [type, type])) as Readonly<Record<string, RopeType>>;

/**
 * The position spec of a decoder whose blocks share one rope.
 * @throws CutlayerError UNSUPPORTED_CONFIG (a type or a setting that is not implemented),
 *   INVALID_CONFIG
 */
export function ropeOf(config: ConfigJson, context: RopeContext): Extract<PositionSpec, { kind: 'rope' }> {
  const parsed = parseKeys(schema, config);
  // transformers prefers rope_scaling if both are present
  const key = parsed.rope_scaling != null && Object.keys(parsed.rope_scaling).length > 0 ? 'rope_scaling' : 'rope_parameters';
  const settings = parsed[key] ?? {};
  const part = settings.partial_rotary_factor ?? parsed.partial_rotary_factor ?? 1;
  if (part !== 1 && context.partial !== true) throw unsupported('partial_rotary_factor', part, '1');
  const rotaryDim = Math.trunc(context.headDim * part);
  if (rotaryDim < 2 || rotaryDim % 2 !== 0)
    throw unsupported('partial_rotary_factor', part, `an even part of head_dim ${context.headDim}, got ${rotaryDim}:`);
  return { kind: 'rope', rope: ropeSpecOf(key, settings, parsed.rope_theta ?? DEFAULT_THETA, rotaryDim, context), rotaryDim };
}

const DEFAULT_THETA = 10000;

/**
 * One rope.
 * @param key path of the settings in the config, for messages
 * @param defaultTheta used if the settings have no `rope_theta`
 * @throws CutlayerError UNSUPPORTED_CONFIG
 */
export function ropeSpecOf(key: string, settings: RopeSettings, defaultTheta: number, rotaryDim: number, context: RopeContext): RopeSpec {
  const types = context.types ?? allTypes;
  const name = settings.rope_type ?? settings.type ?? 'default';
  const type = Object.hasOwn(types, name) ? types[name] : undefined;
  if (type === undefined) throw unsupported(`${key}.rope_type`, name, `one of ${Object.keys(types).join(', ')}`);
  const used = new Set<string>(['rope_type', 'type', 'rope_theta', 'partial_rotary_factor', ...settingsOf[type]]);
  if (context.originalMaxPositions !== undefined) used.add('original_max_position_embeddings');
  for (const [setting, value] of Object.entries(settings))
    if (!used.has(setting) && value !== null) throw unsupported(`${key}.${setting}`, value, `no such setting with rope type ${type}`);

  const theta = settings.rope_theta ?? defaultTheta;
  const need = <K extends keyof RopeSettings>(setting: K): NonNullable<RopeSettings[K]> => {
    const value = settings[setting];
    if (value == null) throw unsupported(`${key}.${setting}`, value, `a value, as rope type ${type} needs it`);
    return value;
  };
  const originalMaxPositions = context.originalMaxPositions ?? settings.original_max_position_embeddings ?? context.maxPositions;
  switch (type) {
    case 'default':
      return { scaling: 'none', theta };
    case 'linear':
      return { scaling: 'linear', theta, factor: need('factor') };
    case 'dynamic':
      if (rotaryDim <= 2) throw unsupported('head_dim', context.headDim, 'more than 2 rotated values, as rope type dynamic needs them');
      return { scaling: 'dynamic', theta, factor: need('factor'), trainedPositions: context.maxPositions };
    case 'yarn': {
      const factor = need('factor');
      const [betaFast, betaSlow, truncate] = [settings.beta_fast ?? 32, settings.beta_slow ?? 1, settings.truncate ?? true];
      const factors = {
        factor,
        betaFast,
        betaSlow,
        truncate,
        attentionFactor: settings.attention_factor ?? yarnAttention(factor, settings),
      };
      return { scaling: 'yarn', theta, originalMaxPositions, ...factors };
    }
    case 'longrope': {
      const [shortFactor, longFactor] = [need('short_factor'), need('long_factor')];
      for (const [setting, factors] of Object.entries({ short_factor: shortFactor, long_factor: longFactor }))
        if (factors.length !== rotaryDim / 2) throw unsupported(`${key}.${setting}`, factors, `${rotaryDim / 2} numbers`);
      const factor = settings.factor ?? context.maxPositions / originalMaxPositions;
      const inferred = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalMaxPositions));
      return {
        scaling: 'longrope',
        theta,
        shortFactor,
        longFactor,
        originalMaxPositions,
        attentionFactor: settings.attention_factor ?? inferred,
      };
    }
    case 'llama3': {
      const [lowFreqFactor, highFreqFactor] = [need('low_freq_factor'), need('high_freq_factor')];
      if (highFreqFactor <= lowFreqFactor)
        throw unsupported(`${key}.high_freq_factor`, highFreqFactor, `more than low_freq_factor ${lowFreqFactor}`);
      return { scaling: 'llama3', theta, factor: need('factor'), lowFreqFactor, highFreqFactor, originalMaxPositions };
    }
  }
}

/** The factor on cosine and sine that yarn infers if none is given. */
function yarnAttention(factor: number, { mscale, mscale_all_dim: allDims }: RopeSettings): number {
  const mscaleOf = (by: number): number => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  return mscale && allDims ? mscaleOf(mscale) / mscaleOf(allDims) : mscaleOf(1);
}

/** The longest sequence that a rope allows for a checkpoint of `maxPositions`. */
export function longestSequence(rope: RopeSpec, maxPositions: number): number {
  if (rope.scaling === 'dynamic') return Math.floor(rope.factor * maxPositions);
  if (rope.scaling === 'yarn') return Math.max(maxPositions, Math.floor(rope.factor * rope.originalMaxPositions));
  return maxPositions;
}
