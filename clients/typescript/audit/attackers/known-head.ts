/**
 * A3: the cotangent of cross-entropy at a row is (softmax - onehot of the label), pulled back
 * through head and norm. The vendor has the row. So with a known head it computes the cotangent of
 * each likely label and takes the one that was sent.
 */
import { l2Norm } from '../../../../src/tensor/l2-norm.js';
import { f32, type Tensor } from '../../../../src/tensor/tensor.js';
import type { StepParts } from '../../adapters/adapter.js';
import { attacker, type VendorView } from '../attacker.js';
import { labelsBehindTop } from '../behind-top.js';
import { lastRows } from '../last-rows.js';
import { type LabelGuess, labelMeasures } from '../metrics.js';
import { labelsOfRows, MOST_CANDIDATES, type Sent } from '../nearest-label.js';
import { predictedTokens, type SeenRecord } from '../seen.js';
import { behindTopBlocks } from '../skip-reasons.js';
import { matches } from '../wire-matches.js';

type Floats = Tensor<'float32'>;

/** Rows whose logits are held at a time. */
const ROWS = 32;
/** Values of a row behind held top blocks: a matrix of that size is solved for each label. */
const MOST_WIDTH = 1024;

export const knownHead = attacker<readonly (readonly LabelGuess[])[]>({
  id: 'A3',
  title: 'labels from cotangents, with a known head',
  knows: 'the rows and their cotangents, and the head with what the adapter trains of it (the worst case)',
  says: `the cotangents of up to ${MOST_CANDIDATES.toLocaleString('en-US')} likely labels are computed for each row; the label whose cotangent is nearest is the guess.`,
  async skipped(view) {
    const { top, hiddenSize } = view.bundle.dims;
    if (top > 0 && hiddenSize > MOST_WIDTH)
      return `the client holds top blocks, and this attacker goes through rows of at most ${MOST_WIDTH} values there, not ${hiddenSize}`;
    return noCotangents(view);
  },
  async attack(view, { signal, progress }) {
    const guesses: (readonly LabelGuess[])[] = [];
    for (let at = 0; at < view.records; at++) {
      guesses.push(await labelsOfRecord(view, at, signal));
      progress(at + 1, view.records);
    }
    return guesses;
  },
  score: labelMeasures,
});

/** The label that each row's cotangent shows. */
export async function labelsOfRecord(view: VendorView, at: number, signal?: AbortSignal): Promise<readonly LabelGuess[]> {
  const seen = await view.record(at);
  const tokens = predictedTokens(seen);
  const parts = await view.parts(at);
  const { softPrompt: _, prefix: __, blockWeights: ___, ...head } = parts;
  const { bundle } = view;
  if (bundle.dims.top > 0) return behindTop(view, seen, parts, signal);
  const labels: number[] = [];
  for (let from = 0; from < tokens.length; from += ROWS) {
    const [outputs, cotangents] = [rowsFrom(seen.outputs!, from), rowsFrom(seen.cotangents!, from)];
    labels.push(...(await labelsOfRows(bundle, outputs, exactly(view, cotangents), head, signal)));
  }
  return labels.map((label, row) => ({ token: head.classifier === undefined ? tokens[row]! : 0, label }));
}

/** The same where the client holds top blocks, which the vendor has too. */
async function behindTop(view: VendorView, seen: SeenRecord, parts: StepParts, signal?: AbortSignal): Promise<readonly LabelGuess[]> {
  const { bundle, wire } = view;
  const { softPrompt: _, prefix: __, blockWeights: ___, ...head } = parts;
  const labelOf = async (row: Floats, cotangent: Floats) => {
    const label = (await labelsOfRows(bundle, row, exactly(view, cotangent), head, signal))[0]!;
    const { cotangent: exact } = await bundle.losses(row, BigInt64Array.of(BigInt(label)), { wantCotangent: true, head, signal });
    return { label, exact: exact! };
  };
  const found = await labelsBehindTop(
    { bundle, seen, parts, least: matches[wire], labelOf, signal },
    await lastRows(bundle, seen, parts, signal),
  );
  const tokens = predictedTokens(seen);
  return [...found].map(([row, label]) => ({ token: head.classifier === undefined ? tokens[row]! : 0, label }));
}

/** Why an attacker of the head's own cotangents cannot run; undefined: it can. */
export async function cotangentsMissing(view: VendorView): Promise<string | undefined> {
  return behindTopBlocks(view.bundle) ?? (await noCotangents(view));
}

/** The same of cotangents as they cross. */
export async function noCotangents(view: VendorView): Promise<string | undefined> {
  if (!view.answered) return 'nothing was answered, so no cotangent was sent; run it with a gateway';
  if ((await view.record(0)).cotangents === undefined) return 'this adapter trains nothing below the head, so no cotangent was sent';
  return undefined;
}

/** One cotangent of each row: it is that of the label, or of another one. */
function exactly({ wire }: VendorView, { data }: Floats): Sent {
  const sentOf = (row: number, d: number): Float32Array => data.subarray(row * d, (row + 1) * d);
  return {
    left: (row, cotangent) => cotangent.map((value, i) => value - sentOf(row, cotangent.length)[i]!),
    rounding: (row, { length: d }) => matches[wire] * l2Norm([sentOf(row, d)]),
  };
}

function rowsFrom({ shape, data }: Floats, from: number): Floats {
  const [count, d] = shape as [number, number];
  const end = Math.min(count, from + ROWS);
  return f32([end - from, d], data.slice(from * d, end * d));
}
