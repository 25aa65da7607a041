/** The shape of a row of the table of methods: what a method's file exports beside its class. */
import type { Adapter, MethodName, StepParts } from './adapter.js';
import type { AdapterConfig } from './adapter-config.js';
import type { AdapterContext } from './context.js';
import type { MethodDescription } from './method-table.js';
import type { MethodSettings } from './setting-table.js';

/** A method: its row of method-table.ts, and its work. */
export interface Method extends MethodDescription {
  readonly method: MethodName;
  /** `peft_type` of its files; null where PEFT does not have it. */
  readonly peftType: string | null;
  /** The places of a step that it may fill. */
  readonly fills: readonly (keyof StepParts)[];
  /** Makes an adapter. @throws CutlayerError INVALID_ARGUMENT naming the setting and what to do */
  create(context: AdapterContext, settings: MethodSettings): Promise<Adapter>;
  /**
   * Reads a directory whose `adapter_config.json` has {@link peftType}, or whose sidecar names it.
   * @param config Only an empty `peft_type` for a method without {@link peftType}.
   * @throws CutlayerError INVALID_ADAPTER
   */
  load(context: AdapterContext, dir: string, config: AdapterConfig): Promise<Adapter>;
}
