/** Commands that use what a run made take the run's own `config.yaml` as `--config`. */
import type { RunFileRule } from '../../../src/options/config-file.js';
import { trainOptions } from './train/train-options-table.js';

/** Every run has a directory. @param as What an option of the run is here; null: not read */
export const runFile = (as: NonNullable<RunFileRule['as']>): RunFileRule => ({ of: trainOptions, mark: 'out', as });
