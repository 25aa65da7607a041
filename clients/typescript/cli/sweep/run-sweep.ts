/** The work of `cutlayer client sweep`. */
import { createHash } from 'node:crypto';
import { join, relative } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { writeFileAtomic } from '../../../../src/files/atomic-file.js';
import { stderr, stdout } from '../../../../src/files/output.js';
import { lockRun } from '../../../../src/files/run-lock.js';
import { configText } from '../../../../src/options/config-text.js';
import { defaultLearningRate } from '../../adapters/registry.js';
import { METRICS_FILE, readMetrics } from '../../training/metrics.js';
import { withSecretIn } from '../open-defences.js';
import type { ProgressReporter } from '../progress.js';
import { withSession } from '../session.js';
import { terminalShowsUnicode } from '../sparkline.js';
import { withLabels } from '../train/labels-of-data.js';
import { type PreparedTraining, prepareTraining, type ResolvedTrainFlags } from '../train/prepare-training.js';
import { trainOptions } from '../train/train-options-table.js';
import type { SweepFlags } from './sweep-options.js';
import { CURVE_POINTS, rankSweep, readSweep, type SweepRow, sweepTable } from './sweep-results.js';

const SWEEP_FILE = 'sweep.json';
/** The rates that are tried when none are given, as multiples of the method's own. */
const DEFAULT_MULTIPLES = [1 / 3, 1, 3];

export async function runSweep(given: SweepFlags): Promise<void> {
  if (given.dpClipNorm !== undefined) {
    throw new CutlayerError(
      'INVALID_OPTION',
      '--dp-clip-norm: a sweep does not train privately, for every rate would spend on the same examples and the choice among them once more; train with one rate',
    );
  }
  const flags = withSecretIn(given.out, await withLabels(given));
  const rates = learningRates(flags);
  const settings = digestOf(flags);
  const file = join(flags.out, SWEEP_FILE);
  const lock = await lockRun(flags.out);
  try {
    const rows = [...(await earlierRows(file, flags, settings))];
    const left = rates.filter((rate) => !rows.some(({ learningRate }) => learningRate === rate));
    let cancelled = false;
    if (left.length > 0) {
      cancelled = await trainAll(flags, left, async (row) => {
        rows.push(row);
        await writeFileAtomic(file, `${JSON.stringify(rankSweep(rows, settings), null, 2)}\n`);
      });
    }
    const results = rankSweep(rows, settings);
    if (flags.json) stdout.json(results, 2);
    else for (const line of sweepTable(results, terminalShowsUnicode())) stdout.line(line);
    if (cancelled) {
      stderr.line(`Stopped with ${rows.length} of ${rates.length} rates done; go on with the same command plus --resume.`);
      process.exitCode = 130;
    } else if (results.best === null) {
      const lower = Math.min(rates[0]! / 10, defaultLearningRate(flags.method, flags));
      throw new CutlayerError('DIVERGED', `every learning rate diverged; try lower ones: --lr ${[lower / 10, lower].map(short).join(',')}`);
    } else {
      const best = results.rows[0]!;
      stderr.line(`Best: learning rate ${best.learningRate}, adapter ${join(flags.out, best.run, 'adapter')}`);
    }
  } finally {
    await lock.release();
  }
}

/** Trains with each rate. @returns Whether it was interrupted. */
async function trainAll(flags: SweepFlags, rates: readonly number[], onRow: (row: SweepRow) => Promise<void>): Promise<boolean> {
  let cancelled = false;
  await withSession(flags, async (session, signal, progress) => {
    const training = await prepareTraining(runFlags(flags, rates[0]!), session, signal);
    for (const [at, rate] of rates.entries()) {
      stderr.line(`learning rate ${rate} (${at + 1} of ${rates.length})`);
      const row = await trainOne(training, runFlags(flags, rate), flags.out, progress);
      progress.stop();
      if (row === undefined) {
        cancelled = true;
        return;
      }
      await onRow(row);
    }
  });
  return cancelled;
}

/** One rate's row; undefined when it was interrupted. */
async function trainOne(
  training: PreparedTraining,
  flags: ResolvedTrainFlags,
  out: string,
  progress: ProgressReporter,
): Promise<SweepRow | undefined> {
  const outcome = await training.run(flags, progress.onEvent).catch((caught: unknown) => {
    const error = CutlayerError.from(caught);
    if (error.code !== 'DIVERGED') throw error;
    return error;
  });
  if (!(outcome instanceof CutlayerError) && outcome.stopped === 'cancelled') return undefined;
  const records = await readMetrics(join(flags.out, METRICS_FILE));
  const steps = records.filter(({ type }) => type === 'step');
  const validations = records.filter(({ type }) => type === 'validation').map(({ loss }) => Number(loss));
  const every = Math.max(1, Math.ceil(steps.length / CURVE_POINTS));
  const curve = steps.filter((_, at) => at % every === 0).map(({ loss }) => Number(loss));
  const row = { learningRate: flags.lr, run: relative(out, flags.out) };
  if (!(outcome instanceof CutlayerError)) {
    const { step, loss: trainingLoss = null, bestValidationLoss: validationLoss = null, seconds } = outcome;
    return {
      ...row,
      outcome: outcome.stopped === 'patience' ? 'patience' : 'finished',
      step,
      trainingLoss,
      validationLoss,
      seconds,
      curve,
    };
  }
  const last = steps.at(-1);
  return {
    ...row,
    outcome: 'diverged',
    step: last?.step ?? 0,
    trainingLoss: last === undefined ? null : Number(last.loss),
    validationLoss: validations.length === 0 ? null : Math.min(...validations),
    seconds: steps.reduce((sum, { seconds }) => sum + Number(seconds), 0),
    reason: outcome.message.split('\n')[0]!,
    curve,
  };
}

function learningRates(flags: SweepFlags): readonly number[] {
  const rates = flags.lr ?? DEFAULT_MULTIPLES.map((multiple) => Number(short(multiple * defaultLearningRate(flags.method, flags))));
  return [...new Set(rates)].sort((a, b) => a - b);
}

/** What one run of the sweep is told. */
function runFlags({ json: _, ...flags }: SweepFlags, lr: number): ResolvedTrainFlags {
  return { ...flags, lr, out: join(flags.out, `lr-${lr}`) };
}

const short = (rate: number): string => String(Number(rate.toPrecision(1)));

/** Of everything that the runs share. */
function digestOf(flags: SweepFlags): string {
  const { out: _, ...shared } = trainOptions;
  return createHash('sha256')
    .update(configText(shared, { ...flags, lr: undefined }, []))
    .digest('hex');
}

async function earlierRows(file: string, flags: SweepFlags, settings: string): Promise<readonly SweepRow[]> {
  const earlier = await readSweep(file);
  if (earlier === undefined) return [];
  if (!flags.resume) {
    throw new CutlayerError('ALREADY_EXISTS', `${flags.out}: holds a sweep already; go on with it by --resume, or choose another --out`);
  }
  if (earlier.settings === settings) return earlier.rows;
  throw new CutlayerError(
    'INVALID_CONFIG',
    `${flags.out}: its runs had other settings; use the same ones (rates may be added), or another --out`,
  );
}
