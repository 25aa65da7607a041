/** A private run's extras: checks that client, options and data fit, its ledger, its statement. */
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { writeFileAtomic } from '../../../../src/files/atomic-file.js';
import { gaussianEvent } from '../../../../src/privacy/event.js';
import { type PrivacyStatement, statementText } from '../../../../src/privacy/statement.js';
import type { TrainOptions } from '../train-options.js';
import type { TrainingClient } from '../training-client.js';
import { PRIVACY_LEDGER_FILE, RunLedger } from './run-ledger.js';

/** The statement's file, beside the adapter's. */
export const PRIVACY_FILE = 'privacy.json';

/**
 * Opens the ledger of a private run; undefined for an ordinary one.
 * @param privateSteps Steps paid for when the run's checkpoint was written.
 * @throws CutlayerError INVALID_ARGUMENT (options that do not fit), BUDGET_EXHAUSTED (not even a
 *   first step), INVALID_CONFIG (another run's ledger)
 */
export async function openLedger(client: TrainingClient, options: TrainOptions, privateSteps: number): Promise<RunLedger | undefined> {
  const { outDir, examples, privacy: told, batchSize = 8, accumulation = 1 } = options;
  const { privacy } = client;
  if (privacy === undefined && told === undefined) return undefined;
  if (privacy === undefined || told === undefined) {
    throw new CutlayerError('INVALID_ARGUMENT', 'privacy: give it to the TrainingClient and to train(), or to neither');
  }
  const { expectedBatch, noiseMultiplier } = privacy;
  if (expectedBatch !== batchSize * accumulation) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `privacy: the client expects ${expectedBatch} examples of a step, the run takes ${batchSize} x ${accumulation}`,
    );
  }
  if (expectedBatch > examples.length) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `privacy: a step takes ${expectedBatch} examples on average, but there are only ${examples.length}; use smaller batches`,
    );
  }
  if (!(told.delta > 0 && told.delta < 1 / examples.length)) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `delta: expected a number above 0 and below 1 / ${examples.length} examples, for a larger one would allow to publish one of them, got ${told.delta}`,
    );
  }
  const event = gaussianEvent(noiseMultiplier, { kind: 'poisson', rate: expectedBatch / examples.length });
  const ledger = await RunLedger.open(outDir, event, told);
  try {
    if (ledger.steps < privateSteps) {
      throw new CutlayerError(
        'INVALID_CONFIG',
        `${join(outDir, PRIVACY_LEDGER_FILE)}: tells of ${ledger.steps} steps, but the newest checkpoint was made after ${privateSteps}; restore the file`,
      );
    }
    const refusal = client.step === 0 ? ledger.refusal() : undefined;
    if (refusal !== undefined) {
      throw new CutlayerError(
        'BUDGET_EXHAUSTED',
        `the first step is refused: ${refusal}; use more noise, smaller batches or a larger budget`,
      );
    }
    return ledger;
  } catch (error) {
    await ledger.close();
    throw error;
  }
}

/** Writes the statement into an adapter's directory. */
export async function writePrivacyStatement(dir: string, statement: PrivacyStatement): Promise<void> {
  const json = { statement: statementText(statement), ...statement };
  await writeFileAtomic(join(dir, PRIVACY_FILE), `${JSON.stringify(json, null, 2)}\n`);
}
