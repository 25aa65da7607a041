/** Trains the adapter of a run anew, for another model. */
import { join } from 'node:path';
import { readSidecar } from '../../adapters/sidecar.js';
import { adapterDirectory } from '../../inspect/adapter-report.js';
import { METRICS_FILE, readMetrics } from '../../training/metrics.js';
import { openDefences, withSecretIn } from '../open-defences.js';
import type { ProgressReporter } from '../progress.js';
import type { Session } from '../session.js';
import { withLabels } from '../train/labels-of-data.js';
import { prepareTraining, resolveTrainFlags } from '../train/prepare-training.js';
import { trainOptions } from '../train/train-options-table.js';
import type { MigrateFlags } from './migrate-options.js';
import { type MigrationReport, type Score, sameTokenizer } from './migration-report.js';
import { recordedSettings } from './recipe.js';

/** @returns undefined when it was cancelled. @throws CutlayerError naming what cannot be done */
export async function migrateRun(
  flags: MigrateFlags,
  session: Session,
  signal: AbortSignal,
  progress: ProgressReporter,
): Promise<MigrationReport | undefined> {
  const { run, out, validation } = flags;
  const place = { out, resume: true, ...(validation === undefined ? {} : { validation }) };
  const { settings, beganFrom } = await recordedSettings(flags, trainOptions, place);
  const training = await withLabels(resolveTrainFlags(settings));
  const defences = await openDefences(withSecretIn(out, training), session.bundle);
  const prepared = await prepareTraining(training, { ...session, defences }, signal);
  const old = await readSidecar(await adapterDirectory(run));
  const summary = await prepared.run(training, progress.onEvent);
  progress.stop();
  if (summary.adapterDir === undefined) return undefined;
  const { backboneDigest, tokenizerDigest } = session.bundle.identity;
  const notes = [
    ...(beganFrom === undefined
      ? []
      : [`the old run began from ${beganFrom}, which the new model cannot use; the new one begins from first values`]),
    ...(training.validation === undefined ? ['there is no validation data to compare on; give --validation'] : []),
    ...(validation === undefined ? [] : ['the old score is not known on the data of --validation']),
    ...(summary.privacy === undefined ? [] : ['the run was private: training on the same examples again has spent anew, docs/privacy.md']),
  ];
  return {
    // On other data the recorded score says nothing.
    old: { backboneDigest: old?.backboneDigest ?? null, score: validation === undefined ? await bestScore(run) : null },
    new: { backboneDigest, score: await bestScore(out) },
    sameTokenizer: sameTokenizer(old, tokenizerDigest),
    adapter: summary.adapterDir,
    notes,
  };
}

/** Of the adapter that a run has kept: its best validation. */
async function bestScore(run: string): Promise<Score | null> {
  const records = await readMetrics(join(run, METRICS_FILE));
  const best = records.findLast(({ type, best }) => type === 'validation' && best === true);
  if (best === undefined) return null;
  const { loss, accuracy, exactMatch } = best;
  return { loss: Number(loss), accuracy: Number(accuracy), exactMatch: Number(exactMatch) };
}
