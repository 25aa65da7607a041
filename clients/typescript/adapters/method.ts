/** The shape of a row of the table of methods: what a method's file exports beside its class. */
import type { Adapter, MethodName, StepParts } from './adapter.js';
import type { AdapterConfig } from './adapter-config.js';
import type { AdapterContext } from './context.js';
import type { MethodSettings } from './settings.js';

/** Settings that change what a method trains, and its learning rate with them. */
export interface LearningRateWith {
  readonly settings: Partial<Pick<MethodSettings, 'encoder' | 'prefixProjection'>>;
  readonly learningRate: number;
}

export interface Method {
  readonly method: MethodName;
  /** `peft_type` of its files; null where PEFT does not have it. */
  readonly peftType: string | null;
  /** One line for `--help` and the docs. */
  readonly summary: string;
  /** The places of a step that it may fill. */
  readonly fills: readonly (keyof StepParts)[];
  /**
   * Default learning rate of AdamW. Measured on the demo's backbone and data (`demo/`: 4 blocks,
   * d = 192), 8 examples a step, cosine schedule, norm clipped at 1. It trains well in 60 steps,
   * and three times the rate does not diverge. Weights of the model and of networks have the lower
   * of such rates: larger models want less there. A row's comment has mean losses of the last five
   * steps; they begin at 2.0 to 2.4 (seed 0).
   */
  readonly learningRate: number;
  /** Other rates, by settings; the first match counts. */
  readonly learningRatesWith?: readonly LearningRateWith[];
  /** Makes an adapter. @throws CutlayerError INVALID_ARGUMENT naming the setting and what to do */
  create(context: AdapterContext, settings: MethodSettings): Promise<Adapter>;
  /**
   * Reads a directory whose `adapter_config.json` has {@link peftType}, or whose sidecar names it.
   * @param config Only an empty `peft_type` for a method without {@link peftType}.
   * @throws CutlayerError INVALID_ADAPTER
   */
  load(context: AdapterContext, dir: string, config: AdapterConfig): Promise<Adapter>;
}
