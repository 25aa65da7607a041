/** A command as data: options, help, and work that is imported when the command runs. */
import type { GivenOptions } from './command-options.js';
import type { RunFileRule } from './config-file.js';
import type { OptionTable, ValuesOf } from './option.js';

/** What a command was called with beside its options' values. */
export interface Call {
  /** Words that are no flags. */
  readonly words: readonly string[];
  /** The options, and where each comes from. */
  readonly options: GivenOptions;
}

/** What a command takes and does. */
export interface CommandSpec<Table extends OptionTable = OptionTable> {
  readonly options: Table;
  /** Whether its options may stand in a file, given as `--config`; which may be a run's. */
  readonly configFile?: boolean | RunFileRule;
  /** Explanations and examples, below the flags. */
  readonly help: string;
  /** Does the work, importing it first. @throws CutlayerError */
  run(values: ValuesOf<Table>, call: Call): Promise<void>;
}

/** States a command; its options' types reach its `run`. */
export function command<const Table extends OptionTable>(spec: CommandSpec<Table>): CommandSpec {
  return spec;
}
