/**
 * Trains a student: on the labels of the attacker's own texts, and on a gateway's answers to them,
 * where it has some. Both students of an audit see the same texts for as many steps; so what
 * answers are worth is the difference.
 */
import type { ClientBundle } from '../../../../clients/typescript/model/client-bundle.js';
import { schedule } from '../../../../clients/typescript/optimizers/schedule.js';
import { seeded } from '../../../tensor/random.js';
import type { AnswersFile } from './answers-file.js';
import type { AttackTexts } from './attack-texts.js';
import { rowsOfTexts } from './collect-answers.js';
import { labelLoss } from './label-loss.js';
import type { Student } from './student.js';

/** How it is trained. */
export interface TrainStudentOptions {
  readonly bundle: ClientBundle;
  readonly student: Student;
  readonly texts: AttackTexts;
  /** Texts that the attacker has. */
  readonly most: number;
  /** The first texts' answers; undefined: without access. */
  readonly answers?: Pick<AnswersFile, 'texts' | 'read'> | undefined;
  readonly batch: number;
  readonly steps: number;
  /** Steps taken before. */
  readonly from: number;
  readonly learningRate: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each step. */
  readonly onStep?: (step: number, losses: StudentLosses) => Promise<void> | void;
}

/** Of one step. */
export interface StudentLosses {
  /** Mean loss of labels, in nats; NaN without labels. */
  readonly labels: number;
  /** Mean squared error of the answers' rows over their length; NaN without answers. */
  readonly rows: number;
}

/** Weight of the rows' error beside the labels' loss. */
const ROWS_WEIGHT = 4;
const WARMUP_SHARE = 0.05;

/** Runs the steps from `from` on. @throws CutlayerError DIVERGED, CANCELLED */
export async function trainStudent(options: TrainStudentOptions): Promise<void> {
  const { bundle, student, texts, most, answers, batch, steps, from, learningRate, seed, signal } = options;
  const rate = schedule('cosine', { warmupSteps: Math.ceil(WARMUP_SHARE * steps), totalSteps: steps });
  const answered = answers?.texts ?? 0;
  for (let step = from; step < steps; step++) {
    signal?.throwIfAborted();
    const random = seeded(seed, step);
    // Half of a batch has answers, however few there are.
    const numbers = Array.from({ length: batch }, (_, at) => random.integer(answered > 0 && at < batch / 2 ? answered : most));
    const taken = numbers.map((number) => texts.text(number));
    const { output, train } = await student.forward(await rowsOfTexts(bundle, taken, signal), signal);
    const { texts: sums, cotangent } = await labelLoss(bundle, output, taken, { wantCotangent: true, signal });
    const targets = sums.reduce((sum, text) => sum + text.targets, 0);
    const whole = cotangent!.map((value) => value / Math.max(1, targets));
    const size = output.data.length / batch;
    const width = output.shape[1]!;
    const paired = numbers.flatMap((number, b) => (number < answered ? [{ number, b }] : []));
    let error = 0;
    for (const { number, b } of paired) {
      const wanted = await answers!.read(number);
      error += addRowsError(whole, output.data, wanted, { from: b * size, width, weight: ROWS_WEIGHT / (paired.length * texts.length) });
    }
    await train({ ...output, data: whole }, learningRate * rate(step));
    const lossSum = sums.reduce((sum, text) => sum + text.lossSum, 0);
    await options.onStep?.(step + 1, { labels: lossSum / targets, rows: error / ROWS_WEIGHT });
  }
}

/**
 * Adds the cotangent of a weighted sum over rows: the squared distance between the directions of
 * the student's row and the wanted one. Final norm and head read no more of a row.
 * @returns that sum
 */
function addRowsError(
  cotangent: Float32Array,
  output: Float32Array,
  wanted: Float32Array,
  { from, width, weight }: { readonly from: number; readonly width: number; readonly weight: number },
): number {
  let sum = 0;
  for (let row = 0; row < wanted.length; row += width) {
    let [ours, theirs, dot] = [0, 0, 0];
    for (let i = row; i < row + width; i++) {
      ours += output[from + i]! ** 2;
      theirs += wanted[i]! ** 2;
      dot += output[from + i]! * wanted[i]!;
    }
    if (ours === 0 || theirs === 0) continue;
    const cosine = dot / Math.sqrt(ours * theirs);
    sum += weight * (2 - 2 * cosine);
    const [byTheirs, byOurs] = [(-2 * weight) / Math.sqrt(ours * theirs), (2 * weight * cosine) / ours];
    for (let i = row; i < row + width; i++) cotangent[from + i] = cotangent[from + i]! + byTheirs * wanted[i]! + byOurs * output[from + i]!;
  }
  return sum;
}
