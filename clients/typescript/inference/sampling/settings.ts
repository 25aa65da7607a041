/** How tokens are chosen: the caller's settings, the bundle's, then the defaults. */
import type { GenerationDefaults } from '../../../../src/artifacts/manifest.js';
import { CutlayerError } from '../../../../src/errors.js';

/** How tokens are chosen. What is not given comes from the bundle, then from the default. */
export interface SamplingOptions {
  /** 0, the default, always takes the most probable token. */
  readonly temperature?: number | undefined;
  /** Draw from this many most probable tokens, and those that tie with the last. Default: all. */
  readonly topK?: number | undefined;
  /** Draw from the smallest set of tokens with this much probability. Default 1: all. */
  readonly topP?: number | undefined;
  /** Draw from tokens with at least this share of the largest probability. Default 0: all. */
  readonly minP?: number | undefined;
  /** Draw from the tokens nearest to the expected information that hold this much. Default 1. */
  readonly typicalP?: number | undefined;
  /** Divides the logits of tokens of prompt and text (multiplies those below 0). Default 1. */
  readonly repetitionPenalty?: number | undefined;
  /** Taken off the logits of tokens that have been generated. Default 0. */
  readonly presencePenalty?: number | undefined;
  /** Taken off the logits of generated tokens, for each time. Default 0. */
  readonly frequencyPenalty?: number | undefined;
  /** No run of this many tokens comes twice. Default 0: any may. */
  readonly noRepeatNgramSize?: number | undefined;
  /** Added to the logits of tokens, by id. */
  readonly logitBias?: ReadonlyMap<number, number> | undefined;
  /** No stop token comes before this many tokens. Default 0. */
  readonly minTokens?: number | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
}

/** All settings. */
export type SamplingSettings = { readonly [Name in keyof SamplingOptions]-?: NonNullable<SamplingOptions[Name]> };

type NumberName = Exclude<keyof SamplingSettings, 'logitBias'>;

interface Range {
  readonly says: string;
  readonly holds: (value: number) => boolean;
}

const share: Range = { says: 'a number above 0, at most 1', holds: (value) => value > 0 && value <= 1 };
const count: Range = { says: 'a whole number of 0 or more', holds: (value) => Number.isSafeInteger(value) && value >= 0 };
const finite: Range = { says: 'a number', holds: Number.isFinite };

const ranges: Readonly<Record<NumberName, Range>> = {
  temperature: { says: 'a number of 0 or more', holds: (value) => value >= 0 && Number.isFinite(value) },
  topK: count,
  topP: share,
  minP: { says: 'a number from 0 to 1', holds: (value) => value >= 0 && value <= 1 },
  typicalP: share,
  repetitionPenalty: { says: 'a number above 0', holds: (value) => value > 0 && Number.isFinite(value) },
  presencePenalty: finite,
  frequencyPenalty: finite,
  noRepeatNgramSize: count,
  minTokens: count,
  seed: count,
};

const defaultSettings: SamplingSettings = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  typicalP: 1,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  noRepeatNgramSize: 0,
  logitBias: new Map(),
  minTokens: 0,
  seed: 0,
};

/** Every setting. @throws CutlayerError INVALID_ARGUMENT naming the setting */
export function samplingSettings(options: SamplingOptions, bundle: GenerationDefaults): SamplingSettings {
  const settings = { ...defaultSettings, ...definedOnly(bundle), ...definedOnly(options) };
  for (const [name, { says, holds }] of Object.entries(ranges) as [NumberName, Range][]) {
    if (!holds(settings[name])) throw new CutlayerError('INVALID_ARGUMENT', `generate: ${name}: expected ${says}, got ${settings[name]}`);
  }
  for (const [id, bias] of settings.logitBias) {
    if (!count.holds(id) || !finite.holds(bias))
      throw new CutlayerError('INVALID_ARGUMENT', `generate: logitBias: expected a number for a token id, got ${bias} for ${id}`);
  }
  return settings;
}

/** The settings among an object's keys that are given. */
function definedOnly(given: SamplingOptions): Partial<SamplingSettings> {
  const entries = Object.entries(given).filter(([name, value]) => value !== undefined && name in defaultSettings);
  // The entries are those of the type, without undefined ones.
  return Object.fromEntries(entries) as Partial<SamplingSettings>;
}
