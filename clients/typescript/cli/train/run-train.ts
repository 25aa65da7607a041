/** The work of `cutlayer client train`. */
import { exposureNote } from '../../../../src/artifacts/exposure.js';
import { stderr, stdout } from '../../../../src/files/output.js';
import { withSecretIn } from '../open-defences.js';
import { withSession } from '../session.js';
import { terminalShowsUnicode } from '../sparkline.js';
import { labelled } from '../text-layout.js';
import { chargedText, forecastLines } from './charged-text.js';
import { withLabels } from './labels-of-data.js';
import { prepareTraining, resolveTrainFlags } from './prepare-training.js';
import type { TrainFlags } from './train-options-table.js';
import { summaryLines } from './train-summary.js';

export async function runTrain(given: TrainFlags): Promise<void> {
  const resolved = await withLabels(resolveTrainFlags(given));
  const flags = resolved.dryRun ? resolved : withSecretIn(resolved.out, resolved);
  await withSession(flags, async (session, signal, progress) => {
    const exposed = exposureNote(session.bundle.manifest.cut.bottom);
    if (exposed !== undefined) stderr.line(exposed);
    const eosNote = flags.eos ? session.bundle.eosNote : undefined;
    if (eosNote !== undefined) stderr.line(`note: ${eosNote}`);
    const training = await prepareTraining(flags, session, signal);
    const { card } = session.connection;
    if (flags.dryRun) {
      for (const line of forecastLines(training.totalSteps, await training.forecast(), card, session.connection.wireDtype))
        stdout.line(line);
      return;
    }
    const summary = await training.run(flags, progress.onEvent);
    progress.stop();
    const { rowsShared } = session.connection.counters;
    const { defences } = session;
    const context = { parameters: training.parameters, rowsShared, unicode: terminalShowsUnicode(), defences };
    for (const line of await summaryLines(summary, flags, context)) stderr.line(line);
    stderr.line(labelled('charged', chargedText(session.connection.charged, card.prices)));
    if (summary.stopped === 'cancelled') process.exitCode = 130;
  });
}
