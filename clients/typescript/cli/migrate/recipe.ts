/** The recorded settings of a directory, with another model and another place. */
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { readConfigFile } from '../../../../src/options/config-file.js';
import type { OptionTable, ValuesOf } from '../../../../src/options/option.js';
import { parseOptions } from '../../../../src/options/parse-options.js';
import { connectionOptions } from '../connection-options.js';
import { RUN_CONFIG_FILE } from '../train/run-config.js';
import type { MigrateFlags } from './migrate-options.js';

/**
 * @param place What else differs, such as the directory.
 * @returns the settings, and the adapter that the old run began from, which the new model cannot
 *   use
 * @throws CutlayerError NOT_FOUND, INVALID_OPTION naming the line
 */
export async function recordedSettings<Table extends OptionTable>(
  flags: MigrateFlags,
  table: Table,
  place: Readonly<Record<string, unknown>>,
): Promise<{ readonly settings: ValuesOf<Table>; readonly beganFrom: string | undefined }> {
  const file = join(flags.run, RUN_CONFIG_FILE);
  const given = await readConfigFile(file, table).catch((caught: unknown) => {
    const error = CutlayerError.from(caught);
    if (error.code !== 'NOT_FOUND') throw error;
    throw new CutlayerError(
      'NOT_FOUND',
      `--run ${flags.run}: has no ${RUN_CONFIG_FILE}; give the --out of train, or the --dir of improve`,
      { cause: error },
    );
  });
  const { initAdapter, ...recipe } = given;
  const kept = Object.fromEntries(Object.entries(recipe).filter(([name]) => !Object.hasOwn(connectionOptions, name)));
  const parsed = parseOptions(table, { ...kept, bundle: flags.bundle, gateway: flags.gateway, ...place });
  const connection = Object.fromEntries(
    Object.keys(connectionOptions).map((name) => [name, flags[name as keyof typeof connectionOptions]]),
  );
  // The connection's values were parsed by the same rows.
  const settings = { ...parsed, ...connection } as ValuesOf<Table>;
  return { settings, beganFrom: typeof initAdapter === 'string' ? initAdapter : undefined };
}
