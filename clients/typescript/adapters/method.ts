/** The shape of a row of the table of methods: what a method's file exports beside its class. */
import type { Adapter, MethodName, StepParts } from './adapter.js';
import type { AdapterConfig } from './adapter-config.js';
import type { AdapterContext } from './context.js';
import type { MethodSettings } from './settings.js';

/** A method. */
export interface Method {
  readonly method: MethodName;
  /** `peft_type` of its files; null where PEFT does not have it. */
  readonly peftType: string | null;
  /** One line for `--help` and the docs. */
  readonly summary: string;
  /** The places of a step that it may fill. */
  readonly fills: readonly (keyof StepParts)[];
  /** Makes a new adapter. @throws CutlayerError INVALID_ARGUMENT naming the setting that is missing or cannot be, and what to do */
  create(context: AdapterContext, settings: MethodSettings): Promise<Adapter>;
  /**
   * Reads a directory whose `adapter_config.json` has {@link peftType}, or that the sidecar says is this method's.
   * @param config Without a {@link peftType} there is none: only an empty `peft_type`.
   * @throws CutlayerError INVALID_ADAPTER
   */
  load(context: AdapterContext, dir: string, config: AdapterConfig): Promise<Adapter>;
}
