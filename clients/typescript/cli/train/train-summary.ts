/**
 * What `train` says at its end: what was done, what it cost, how the loss went, and what to do
 * next.
 */

import { join } from 'node:path';
import { byteText } from '../../../../src/files/byte-text.js';
import { statementText } from '../../../../src/privacy/statement.js';
import { defenceText } from '../../defences/defence.js';
import type { Defences } from '../../defences/defences.js';
import { METRICS_FILE, readMetrics } from '../../training/metrics.js';
import { lossTrouble } from '../../training/recent-loss.js';
import type { TrainSummary } from '../../training/train-options.js';
import { connectionText } from '../profile/connection-text.js';
import { sparkline } from '../sparkline.js';
import { labelled } from '../text-layout.js';
import type { ResolvedTrainFlags } from './prepare-training.js';

/** Characters of the loss curve. */
const CURVE_WIDTH = 40;

/** What of the run the summary does not have. */
export interface SummaryContext {
  /** Trainable numbers of the adapter. */
  readonly parameters: number;
  /** Rows that were not sent again. */
  readonly rowsShared: number;
  readonly defences: Defences;
  readonly unicode: boolean;
}

/** The lines of the summary. */
export async function summaryLines(
  summary: TrainSummary,
  flags: ResolvedTrainFlags,
  { parameters, rowsShared, unicode, defences }: SummaryContext,
): Promise<readonly string[]> {
  const records = await readMetrics(join(flags.out, METRICS_FILE));
  const lossesOf = (type: string) => records.filter((record) => record.type === type).map(({ loss }) => Number(loss));
  const [losses, validations] = [lossesOf('step'), lossesOf('validation')];
  const lines = [
    headline(summary, flags.out),
    labelled('method', `${flags.method}, ${parameters.toLocaleString('en')} trained parameters, learning rate ${flags.lr}`),
    labelled('cost', cost(summary)),
  ];
  if (rowsShared > 0)
    lines.push(
      labelled('shared text', `${rowsShared.toLocaleString('en')} rows less: what a batch begins with went through the model once`),
    );
  if (losses.length > 0) lines.push(labelled('training loss', `${curve(losses, unicode)}${epochMean(summary)}`));
  const trouble = lossTrouble(losses);
  if (trouble !== undefined && summary.privacy === undefined) lines.push(labelled('mind', advice[trouble]));
  if (validations.length > 0) {
    const best = summary.bestValidationLoss === undefined ? '' : `, best ${summary.bestValidationLoss.toFixed(4)}`;
    lines.push(labelled('validation loss', `${curve(validations, unicode)}${best}`));
  }
  if (summary.privacy !== undefined) lines.push(labelled('privacy', statementText(summary.privacy)));
  for (const defence of defences.all) lines.push(labelled('defence', `${defenceText(defence)}: ${defence.claim}`));
  if (summary.adapterDir !== undefined) {
    const bundle = flags.bundle;
    lines.push(labelled('adapter', summary.adapterDir));
    lines.push(labelled('look at it', `cutlayer client inspect ${summary.adapterDir} --bundle ${bundle}`));
    lines.push(labelled('try it', tryIt(flags, summary.adapterDir, await connectionText(flags))));
  }
  return lines;
}

function epochMean({ loss }: TrainSummary): string {
  return loss === undefined ? '' : `; mean of the last epoch ${loss.toFixed(4)}`;
}

const advice: { readonly [T in NonNullable<ReturnType<typeof lossTrouble>>]: string } = {
  rises: 'the training loss rises again after its least value; try a lower --lr, or fewer steps',
  'never fell': 'the training loss has not fallen; try other learning rates: cutlayer client sweep',
};

/** What ended a run before its last step. */
const why: { readonly [Stopped in Exclude<TrainSummary['stopped'], 'cancelled'>]: string } = {
  finished: '',
  patience: ' (the validation loss no longer fell)',
  budget: ' (one more would go over --dp-epsilon)',
};

function headline({ stopped, step, bestValidationLoss, loss }: TrainSummary, out: string): string {
  const [which, value] =
    bestValidationLoss === undefined ? ['training loss of the last epoch', loss] : ['best validation loss', bestValidationLoss];
  const end = value === undefined ? '' : `, ${which} ${value.toFixed(4)}`;
  if (stopped === 'cancelled') {
    const kept = step === 0 ? 'Nothing was written yet' : `The checkpoint is in ${out}; go on with the same command plus --resume`;
    return `Stopped after step ${step}${end}. ${kept}.`;
  }
  return `Done after step ${step}${why[stopped]}${end}.`;
}

function cost({ seconds, tokens, bytesUp, bytesDown, step }: TrainSummary): string {
  const perStep = step === 0 ? '' : ` (${byteText((bytesUp + bytesDown) / step)} per step)`;
  const speed = seconds === 0 ? '' : `, ${Math.round(tokens / seconds)} tokens/s`;
  return `${step} steps in ${duration(seconds)}${speed}; sent ${byteText(bytesUp)}, received ${byteText(bytesDown)}${perStep}`;
}

function curve(losses: readonly number[], unicode: boolean): string {
  return `${losses[0]!.toFixed(4)} ${sparkline(losses, { width: CURVE_WIDTH, unicode })} ${losses.at(-1)!.toFixed(4)}`;
}

/** The command that uses the adapter; a classifier generates nothing. */
function tryIt(flags: ResolvedTrainFlags, adapterDir: string, connection: string): string {
  const classifies = flags.method.split('+').includes('classification-head');
  const task = flags.method.split('+').includes('multitask-prompt-tuning') ? ` --task ${flags.tasks[0]}` : '';
  const what = classifies
    ? `eval --adapter ${adapterDir} --data ${flags.validation ?? flags.data}`
    : `generate --adapter ${adapterDir}${task} --prompt "..."`;
  return `cutlayer client ${what}${connection}`;
}

/** A duration for people. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
