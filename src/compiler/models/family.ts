/** What a family is: data. A parser of its config and the names of its weights. */
import type { ConfigJson } from './config.js';
import type { DecoderSpec } from './spec.js';
import type { WeightNames } from './weights.js';

/** A family of checkpoints, keyed in the registry by `model_type`. */
export interface Family {
  readonly name: string;
  /** @throws CutlayerError INVALID_CONFIG, UNSUPPORTED_CONFIG, UNSUPPORTED_CHECKPOINT */
  parse(config: ConfigJson): DecoderSpec;
  readonly names: WeightNames;
}
