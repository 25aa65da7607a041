/** The work of `cutlayer client migrate`. */
import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { stderr, stdout } from '../../../../src/files/output.js';
import { JOURNAL_FILE } from '../../improvement/journal.js';
import { withSession } from '../session.js';
import { migrateImprovement } from './migrate-improvement.js';
import type { MigrateFlags } from './migrate-options.js';
import { migrateRun } from './migrate-run.js';
import { reportLines } from './migration-report.js';

export async function runMigrate(flags: MigrateFlags): Promise<void> {
  const { run, out, json } = flags;
  const from = await realpath(run).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `--run ${run}: no such directory`, { cause });
  });
  if ((await realpath(out).catch(() => undefined)) === from)
    throw new CutlayerError('INVALID_OPTION', `--out ${out}: expected another directory than --run; the old adapter stays as it is`);
  const improves = (await stat(join(run, JOURNAL_FILE)).catch(() => undefined)) !== undefined;
  await withSession(flags, async (session, signal, progress) => {
    const report = await (improves ? migrateImprovement : migrateRun)(flags, session, signal, progress).catch((caught: unknown) => {
      throw explained(run, caught);
    });
    if (report === undefined) {
      stderr.line('stopped; the same command goes on');
      process.exitCode = 130;
    } else if (json) stdout.json(report);
    else for (const line of reportLines(report)) stdout.line(line);
  });
}

/** An error of the settings says that the new model is what cannot follow them. */
function explained(run: string, caught: unknown): CutlayerError {
  const error = CutlayerError.from(caught);
  const ofSettings = ['INVALID_OPTION', 'INVALID_ARGUMENT', 'ADAPTER_UNSUPPORTED', 'LIMIT_EXCEEDED', 'INVALID_DATA', 'UNSUPPORTED_CONFIG'];
  if (!ofSettings.includes(error.code) || error.message.startsWith('--')) return error;
  return new CutlayerError(
    error.code,
    `the new bundle cannot do what ${run} did: ${error.message}\n  - change the setting in a copy of ${join(run, 'config.yaml')}, and train with it: cutlayer client train --config COPY`,
    { details: error.details, cause: error },
  );
}
