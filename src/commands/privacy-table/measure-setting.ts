/** Measures one setting: trains under it, measures the task, and audits what crosses. */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditReport } from '../../../clients/typescript/audit/audit.js';
import { SUITE } from '../../../clients/typescript/audit/suite.js';
import { auditWith } from '../../../clients/typescript/cli/audit/run-audit.js';
import { exampleOptions } from '../../../clients/typescript/cli/example-options.js';
import { openAdapted } from '../../../clients/typescript/cli/open-adapted.js';
import { formalGuarantees, withSecretIn } from '../../../clients/typescript/cli/open-defences.js';
import { progressReporter } from '../../../clients/typescript/cli/progress.js';
import type { Session } from '../../../clients/typescript/cli/session.js';
import { checkFits } from '../../../clients/typescript/cli/train/advice.js';
import { withLabels } from '../../../clients/typescript/cli/train/labels-of-data.js';
import { prepareTraining, type ResolvedTrainFlags, resolveTrainFlags } from '../../../clients/typescript/cli/train/prepare-training.js';
import { loadExamples, numbered } from '../../../clients/typescript/data/examples.js';
import { recordedDefences } from '../../../clients/typescript/defences/recorded.js';
import { batchLimits } from '../../../clients/typescript/inference/batch-limits.js';
import { type ExampleScore, evaluate } from '../../../clients/typescript/inference/evaluate.js';
import { CutlayerError } from '../../errors.js';
import type { FinishedParts } from '../../files/finished-parts.js';
import { stderr } from '../../files/output.js';
import { statementText } from '../../privacy/statement.js';
import { type Model, openModel } from './models.js';
import type { PrivacyTableFlags } from './privacy-options.js';
import type { PrivacyRow, SettingCost, TaskResult } from './privacy-row.js';
import { type Setting, settingDefaults, withSetting } from './setting.js';

/** What a setting is measured with. */
export interface MeasureOptions {
  readonly flags: PrivacyTableFlags;
  readonly model: Model;
  readonly setting: Setting;
  /** What was measured before. */
  readonly state: FinishedParts;
  readonly signal: AbortSignal;
}

/** A setting's training and task. */
export interface Trained extends Pick<PrivacyRow, 'defences' | 'guarantees' | 'adapter'> {
  readonly task: TaskResult;
  readonly scores: readonly ExampleScore[];
  readonly cost: SettingCost;
}

/** What is measured of a setting. */
export interface Measured {
  readonly trained: Trained;
  readonly audit: AuditReport;
  /** That it took, over all starts. */
  readonly seconds: number;
}

/**
 * Its results, or those of an earlier start.
 * @returns the reason, where training diverges or the vendor refuses such rows
 * @throws CutlayerError CANCELLED, of calls
 */
export async function measureSetting(options: MeasureOptions): Promise<Measured | string> {
  const { flags, model, setting, state, signal } = options;
  const key = keyOf(model, setting);
  const dir = join(flags.out, key);
  let opening: Promise<Opened> | undefined;
  // Where everything was measured before, no gateway is needed.
  const opened = (): Promise<Opened> => {
    opening ??= openFor(model, runFlags(options, join(dir, 'run')), flags.out, signal);
    return opening;
  };
  try {
    const trained = await timed(() => state.part(`trained ${key}`, async () => train(await opened(), flags, signal)));
    if (typeof trained.result === 'string') return trained.result;
    const audit = await timed(() => state.part(`audited ${key} ${SUITE}`, async () => auditUnder(await opened(), flags, dir, signal)));
    const seconds = await state.part(`seconds ${key} ${SUITE}`, async () => trained.seconds + audit.seconds);
    return { trained: trained.result, audit: audit.result, seconds };
  } finally {
    await opening?.then(
      ({ session }) => session.close(),
      () => undefined, // thrown where it was waited for
    );
  }
}

/** A session, and the options that it was opened with. */
interface Opened {
  readonly session: Session;
  readonly flags: ResolvedTrainFlags;
}

async function openFor(model: Model, given: ReturnType<typeof runFlags>, out: string, signal: AbortSignal): Promise<Opened> {
  const flags = withSecretIn(given.out, await withLabels(resolveTrainFlags(given)));
  const { onRetry } = progressReporter();
  return { flags, session: await openModel(model, { flags, stateDir: join(out, 'gateway'), signal, onRetry }) };
}

async function auditUnder(
  { session, flags }: Opened,
  { planted, maxRecords, only, json }: PrivacyTableFlags,
  dir: string,
  signal: AbortSignal,
) {
  const out = join(dir, `audit-${SUITE}`);
  await mkdir(out, { recursive: true, mode: 0o700 });
  const asked = { adapter: flags.out, offline: false, overlong: 'truncate' as const, out };
  return auditWith({ ...flags, ...asked, planted, maxRecords, only, json }, session, signal, true);
}

/** Of a setting at a cut: a name for a directory. */
export function keyOf({ cut: { bottom, top }, backboneDigest }: Pick<Model, 'cut' | 'backboneDigest'>, { text }: Setting): string {
  const shown = text.replace(/[^A-Za-z0-9.]+/g, '-').slice(0, 48);
  return `k${bottom}-m${top}-${shown}-${createHash('sha256').update(`${backboneDigest} ${text}`).digest('hex').slice(0, 8)}`;
}

async function timed<Result>(work: () => Promise<Result>): Promise<{ readonly result: Result; readonly seconds: number }> {
  const began = performance.now();
  return { result: await work(), seconds: (performance.now() - began) / 1000 };
}

function runFlags({ flags, model, setting }: MeasureOptions, out: string) {
  const {
    packed: _,
    test: __,
    setting: ___,
    maxLossPoints: ____,
    maxRecords: _____,
    planted: ______,
    only: _______,
    json: ________,
    ...shared
  } = flags;
  const { bundle, gateway = '', tokenFile } = model;
  return withSetting(
    {
      ...(settingDefaults as SettingDefaults),
      ...{ ...shared, ...{ bundle, gateway, tokenFile, out } },
      ...{ resume: true, dryRun: false, tensorboard: false, checkpointEvery: CHECKPOINT_EVERY },
    },
    setting,
  );
}

/** Those that the command has no options for. */
type SettingDefaults = Pick<ResolvedTrainFlags, 'dpDelta' | 'tokenDelta' | 'tokenClip'>;

const CHECKPOINT_EVERY = 50;

async function train({ session, flags }: Opened, { test }: PrivacyTableFlags, signal: AbortSignal): Promise<Trained | string> {
  const training = await prepareTraining(flags, session, signal);
  const progress = progressReporter();
  const summary = await training.run(flags, progress.onEvent).catch((caught: unknown) => {
    const error = CutlayerError.from(caught);
    if (error.code !== 'DIVERGED' && error.code !== 'PROTECTION_REFUSED') throw error;
    return error.message.split('\n')[0]!;
  });
  progress.stop();
  if (typeof summary === 'string') return summary;
  if (summary.stopped === 'cancelled') throw new CutlayerError('CANCELLED', 'privacy: stopped; the same command goes on where it was');
  const { model, adapter } = await openAdapted(flags.out, session);
  const limits = batchLimits(model, adapter, { batchSize: flags.batch, maxTokensPerBatch: flags.maxTokens });
  const reading = exampleOptions(flags, adapter, { room: model.maxLength(adapter.numVirtualTokens), ...limits }, signal, session.defences);
  const examples = numbered('test', await loadExamples(test, session.bundle.tokenizer, reading));
  checkFits(examples, limits, flags.maxTokens);
  const scores: ExampleScore[] = [];
  const { exactMatch, accuracy, loss } = await evaluate(model, adapter, examples, {
    ...limits,
    signal,
    onScore(index, { lossSum, targets, correct, exact }) {
      scores[index] = { lossSum, targets, correct, exact };
    },
    onProgress: (done, total) => stderr.status(`${done}/${total} test examples`),
  });
  stderr.clearStatus();
  const steps = Math.max(1, summary.step);
  return {
    defences: recordedDefences(session.defences.all),
    guarantees: [
      ...(await formalGuarantees(flags)),
      ...(summary.privacy === undefined ? [] : [`adapter: ${statementText(summary.privacy)}`]),
    ],
    adapter: { method: flags.method, virtualTokens: adapter.numVirtualTokens, parameters: training.parameters },
    task: { exactMatch, accuracy, loss, examples: examples.length },
    scores,
    cost: {
      ...{ steps: summary.step, secondsPerStep: summary.seconds / steps },
      ...{ bytesUpPerStep: summary.bytesUp / steps, bytesDownPerStep: summary.bytesDown / steps },
    },
  };
}
