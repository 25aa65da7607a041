/** What a run logs: `metrics.jsonl`, and the same figures as TensorBoard event files. */
import { join } from 'node:path';
import type { JsonLines } from '../../../src/files/json-lines.js';
import type { PrivacyStatement } from '../../../src/privacy/statement.js';
import type { EvaluationResult } from '../inference/evaluate.js';
import { METRICS_FILE, type MetricsRecord, newRecords, openMetrics } from './metrics.js';
import { TensorBoardLog } from './tensorboard/tensorboard-log.js';
import type { StepRecord } from './train-options.js';

/** Figures of a step that are curves; the others are constant or sums. */
const stepCurves = ['loss', 'gradNorm', 'learningRate', 'tokensPerSecond', 'bytesUp', 'bytesDown'] as const;
const validationCurves = ['loss', 'perplexity', 'accuracy', 'exactMatch'] as const;

/** A validation's line. */
type ValidationRecord = Pick<EvaluationResult, (typeof validationCurves)[number]> & { readonly step: number; readonly best: boolean };

export class RunLog {
  readonly #metrics: JsonLines<MetricsRecord>;
  readonly #events: TensorBoardLog | undefined;
  readonly #isNew = newRecords();

  private constructor(metrics: JsonLines<MetricsRecord>, events: TensorBoardLog | undefined) {
    this.#metrics = metrics;
    metrics.earlier.forEach(this.#isNew);
    this.#events = events;
  }

  /** Opens the files; what they say of steps after `throughStep` no longer holds. */
  static async open(outDir: string, throughStep: number, tensorboard: boolean): Promise<RunLog> {
    const metrics = await openMetrics(join(outDir, METRICS_FILE), throughStep);
    try {
      return new RunLog(metrics, tensorboard ? await TensorBoardLog.open(join(outDir, 'tensorboard'), throughStep) : undefined);
    } catch (error) {
      await metrics.close();
      throw error;
    }
  }

  /** The steps that earlier starts of the run have taken. */
  get earlierSteps(): readonly StepRecord[] {
    // The file is this class's own.
    return this.#metrics.earlier.filter((record) => record.type === 'step') as unknown as readonly StepRecord[];
  }

  async step(record: StepRecord): Promise<void> {
    await this.#append({ type: 'step', ...record });
    await this.#events?.scalars(record.step, Object.fromEntries(stepCurves.map((name) => [`train/${name}`, record[name]])));
  }

  async validation(record: ValidationRecord): Promise<void> {
    await this.#append({ type: 'validation', ...record });
    await this.#events?.scalars(record.step, Object.fromEntries(validationCurves.map((name) => [`validation/${name}`, record[name]])));
  }

  /** What a private run has spent by now. */
  async privacy(step: number, statement: PrivacyStatement): Promise<void> {
    const { unit, epsilon, delta, rounds, sampling, noiseMultiplier } = statement;
    const rate = sampling.kind === 'poisson' ? { samplingRate: sampling.rate } : {};
    const bound = epsilon === null ? {} : { epsilon };
    await this.#append({
      type: 'privacy',
      step,
      unit,
      ...bound,
      delta,
      steps: rounds,
      sampling: sampling.kind,
      ...rate,
      noiseMultiplier,
    });
    if (epsilon !== null) await this.#events?.scalars(step, { 'privacy/epsilon': epsilon });
  }

  async close(): Promise<void> {
    try {
      await this.#metrics.close();
    } finally {
      await this.#events?.close();
    }
  }

  /** A validation or a checkpoint that a resumed run does again has its line already. */
  async #append(record: MetricsRecord): Promise<void> {
    if (this.#isNew(record)) await this.#metrics.append(record);
  }
}
