/** Where `client serve` puts feedback: the inbox of a `client improve`. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { vaultOf } from '../../improvement/example-log.js';
import { Inbox } from '../../improvement/inbox.js';
import { Intake } from '../../improvement/intake.js';
import { JOURNAL_FILE } from '../../improvement/journal.js';
import { RecordReader } from '../../intake/record-reader.js';
import type { SplitModel } from '../../model/split-model.js';
import type { FeedbackSink } from '../../serving/feedback.js';
import { type SecretFlags, storeSecret } from '../improve/store-secret.js';

/** Which directory, and its key. */
export interface FeedbackFlags extends SecretFlags {
  readonly feedback?: string | undefined;
}

/**
 * Reads feedback with the model's tokenizer, so that what no model could learn is told at once.
 * Limits of length are those of the improvement, which reads it again.
 * @returns undefined without a directory
 * @throws CutlayerError NOT_FOUND (nothing is improved there), INVALID_OPTION (the secret)
 */
export async function feedbackStore(flags: FeedbackFlags, model: Pick<SplitModel, 'bundle' | 'maxLength'>): Promise<FeedbackSink> {
  const { feedback: dir } = flags;
  if (dir === undefined) return undefined;
  if ((await stat(join(dir, JOURNAL_FILE)).catch(() => undefined)) === undefined)
    throw new CutlayerError(
      'NOT_FOUND',
      `--feedback ${dir}: no directory of an improvement; start cutlayer client improve --dir ${dir} first`,
    );
  const inbox = new Inbox(dir, await vaultOf(dir, await storeSecret(flags)));
  const reader = new RecordReader(model.bundle.tokenizer, { maxLength: model.maxLength(0), overlong: 'truncate' });
  const intake = new Intake(inbox, reader, Date.now);
  return (lines) => intake.feedback(lines);
}
