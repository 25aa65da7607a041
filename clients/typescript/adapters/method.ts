/** The shape of a row of the table of methods: what a method's file exports beside its class. */
import type { Adapter, MethodName, StepParts } from './adapter.js';
import type { AdapterConfig } from './adapter-config.js';
import type { AdapterContext } from './context.js';
import type { MethodSettings } from './settings.js';

/** Settings that change what a method trains, and the learning rate that this wants. */
export interface LearningRateWith {
  readonly settings: Partial<Pick<MethodSettings, 'encoder' | 'prefixProjection'>>;
  readonly learningRate: number;
}

/** A method. */
export interface Method {
  readonly method: MethodName;
  /** `peft_type` of its files; null where PEFT does not have it. */
  readonly peftType: string | null;
  /** One line for `--help` and the docs. */
  readonly summary: string;
  /** The places of a step that it may fill. */
  readonly fills: readonly (keyof StepParts)[];
  /**
   * Learning rate of AdamW when none is given. Measured on the demo's backbone and data (`demo/`: 4 blocks, d = 192), 8 examples a step, cosine
   * schedule, norm clipped at 1: it trains well within 60 steps, and three times of it does not diverge. Of several such rates the lower one for weights
   * of the model and of networks, because larger models want less there. A row's comment has mean losses of the last five steps; they begin at
   * 2.0 to 2.4 (seed 0).
   */
  readonly learningRate: number;
  /** Other rates, by settings; the first that holds. */
  readonly learningRatesWith?: readonly LearningRateWith[];
  /** Makes a new adapter. @throws CutlayerError INVALID_ARGUMENT naming the setting that is missing or cannot be, and what to do */
  create(context: AdapterContext, settings: MethodSettings): Promise<Adapter>;
  /**
   * Reads a directory whose `adapter_config.json` has {@link peftType}, or that the sidecar says is this method's.
   * @param config Without a {@link peftType} there is none: only an empty `peft_type`.
   * @throws CutlayerError INVALID_ADAPTER
   */
  load(context: AdapterContext, dir: string, config: AdapterConfig): Promise<Adapter>;
}
