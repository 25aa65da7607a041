/** `config.yaml` of a run's directory: every option as decided, to start the same run again. */
import { join } from 'node:path';
import { writeFileAtomic } from '../../../../src/files/atomic-file.js';
import { configText } from '../../../../src/options/config-text.js';
import { type TrainFlags, trainOptions } from './train-options-table.js';

export const RUN_CONFIG_FILE = 'config.yaml';

/** Writes the file into the run's directory. */
export async function writeRunConfig(flags: TrainFlags): Promise<void> {
  const heading = [
    'The settings of this run; those that were not given have their defaults. To repeat it:',
    '  cutlayer client train --config config.yaml --out ANOTHER_DIRECTORY',
  ];
  await writeFileAtomic(join(flags.out, RUN_CONFIG_FILE), configText(trainOptions, flags, heading));
}
