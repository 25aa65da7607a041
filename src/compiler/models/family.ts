/** A family is data: a parser of its config and the names of its weights. */
import type { ConfigJson } from './config.js';
import type { DecoderSpec } from './spec.js';
import type { WeightNames } from './weights.js';

export interface Family {
  readonly name: string;
  /** @throws CutlayerError INVALID_CONFIG, UNSUPPORTED_CONFIG, UNSUPPORTED_CHECKPOINT */
  parse(config: ConfigJson): DecoderSpec;
  readonly names: WeightNames;
}
