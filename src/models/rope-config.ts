/**
 * Rotary embedding settings, in both dialects of `config.json`: `rope_theta` and `rope_scaling` (transformers 4) and
 * `rope_parameters` (transformers 5).
 */
import { z } from 'zod';
import { type ConfigJson, parseKeys, positiveInt, positiveNumber, unsupported } from './config.js';
import type { RopeSpec } from './spec.js';

/** The keys that {@link ropeOf} reads. */
export const ropeKeys = ['rope_theta', 'rope_scaling', 'rope_parameters'] as const;

const settings = z.looseObject({
  rope_type: z.string().optional(),
  /** The name of `rope_type` in older configs. */
  type: z.string().optional(),
  rope_theta: positiveNumber.optional(),
  factor: positiveNumber.optional(),
  low_freq_factor: positiveNumber.optional(),
  high_freq_factor: positiveNumber.optional(),
  original_max_position_embeddings: positiveInt.optional(),
  partial_rotary_factor: positiveNumber.optional(),
});

const schema = z.object({
  rope_theta: positiveNumber.optional(),
  rope_scaling: settings.nullish(),
  rope_parameters: settings.nullish(),
});

const known = new Set([...Object.keys(settings.shape)]);
const DEFAULT_THETA = 10000;

/**
 * The rope settings of a config.
 * @throws CutlayerError UNSUPPORTED_CONFIG (a type or a setting that is not implemented), INVALID_CONFIG
 */
export function ropeOf(config: ConfigJson, maxPositions: number): RopeSpec {
  const parsed = parseKeys(schema, config);
  const key = parsed.rope_parameters == null ? 'rope_scaling' : 'rope_parameters';
  const rope = parsed[key] ?? {};
  for (const [name, value] of Object.entries(rope)) {
    if (!known.has(name) && value !== null) throw unsupported(`${key}.${name}`, value, 'no such setting');
  }
  if (rope.partial_rotary_factor !== undefined && rope.partial_rotary_factor !== 1)
    throw unsupported(`${key}.partial_rotary_factor`, rope.partial_rotary_factor, '1');
  const theta = rope.rope_theta ?? parsed.rope_theta ?? DEFAULT_THETA;
  const type = rope.rope_type ?? rope.type ?? 'default';
  const need = <K extends 'factor' | 'low_freq_factor' | 'high_freq_factor'>(name: K): number => {
    const value = rope[name];
    if (value === undefined) throw unsupported(`${key}.${name}`, value, `a number, as rope type ${type} needs it`);
    return value;
  };
  switch (type) {
    case 'default':
      return { scaling: 'none', theta };
    case 'linear':
      return { scaling: 'linear', theta, factor: need('factor') };
    case 'llama3': {
      const [lowFreqFactor, highFreqFactor] = [need('low_freq_factor'), need('high_freq_factor')];
      if (highFreqFactor <= lowFreqFactor)
        throw unsupported(`${key}.high_freq_factor`, highFreqFactor, `more than low_freq_factor ${lowFreqFactor}`);
      const originalMaxPositions = rope.original_max_position_embeddings ?? maxPositions;
      return { scaling: 'llama3', theta, factor: need('factor'), lowFreqFactor, highFreqFactor, originalMaxPositions };
    }
    default:
      throw unsupported(`${key}.rope_type`, type, 'default, linear or llama3');
  }
}
