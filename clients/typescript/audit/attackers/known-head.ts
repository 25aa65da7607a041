/**
 * A3: the cotangent of cross-entropy at a row is (softmax - onehot of the label), pulled back
 * through head and norm. The vendor has the row. So with a known head it computes the cotangent of
 * each likely label and takes the one that was sent.
 */
import { addFloats, concatRows } from '../../../../src/tensor/floats.js';
import { f32, type Tensor } from '../../../../src/tensor/tensor.js';
import type { StepParts } from '../../adapters/adapter.js';
import type { HeadParts } from '../../model/client-bundle.js';
import { attacker, type VendorView } from '../attacker.js';
import { labelsBehindTop } from '../behind-top.js';
import { lastRows } from '../last-rows.js';
import { argmax, logitRows } from '../logit-rows.js';
import { type LabelGuess, labelMeasures } from '../metrics.js';
import { predictedTokens, type SeenRecord } from '../seen.js';
import { behindTopBlocks } from '../skip-reasons.js';
import { matches } from '../wire-matches.js';

type Floats = Tensor<'float32'>;

/** Labels whose cotangents are computed for a row: at first, at a time, and at most. */
const FIRST_CANDIDATES = 32;
const CANDIDATES = 256;
const MOST_CANDIDATES = 4096;
/** Rows whose logits are held at a time. */
const ROWS = 32;
/** Values of a row behind held top blocks: a matrix of that size is solved for each label. */
const MOST_WIDTH = 1024;
/** The step along a cotangent, relative to the row's length. */
const STEP = 1e-2;

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
  if (view.bundle.dims.top > 0) return behindTop(view, seen, parts, signal);
  const labels: number[] = [];
  for (let from = 0; from < tokens.length; from += ROWS) {
    const [outputs, cotangents] = [rowsFrom(seen.outputs!, from), rowsFrom(seen.cotangents!, from)];
    labels.push(...(await labelsOfRows(view, outputs, cotangents, head, signal)));
  }
  return labels.map((label, row) => ({ token: head.classifier === undefined ? tokens[row]! : 0, label }));
}

/** The same where the client holds top blocks, which the vendor has too. */
async function behindTop(view: VendorView, seen: SeenRecord, parts: StepParts, signal?: AbortSignal): Promise<readonly LabelGuess[]> {
  const { bundle, wire } = view;
  const { softPrompt: _, prefix: __, blockWeights: ___, ...head } = parts;
  const labelOf = async (row: Floats, cotangent: Floats) => {
    const label = (await labelsOfRows(view, row, cotangent, head, signal))[0]!;
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

async function labelsOfRows(
  { bundle, wire }: VendorView,
  outputs: Floats,
  cotangents: Floats,
  head: HeadParts,
  signal?: AbortSignal,
): Promise<readonly number[]> {
  const [count, d] = outputs.shape as [number, number];
  const rowOf = ({ data }: Floats, row: number): Float32Array => data.subarray(row * d, (row + 1) * d);
  const cotangentsOf = async (rows: Floats, labels: ArrayLike<number>): Promise<Floats> => {
    const wanted = BigInt64Array.from({ length: labels.length }, (_, at) => BigInt(labels[at]!));
    return f32(rows.shape, (await bundle.losses(rows, wanted, { wantCotangent: true, head, signal })).cotangent!);
  };
  const first: number[] = [];
  for await (const { logits } of logitRows(bundle, outputs, head, signal)) first.push(argmax(logits));
  // The difference of two labels has no softmax in it: it points from one label to the other.
  const apart = f32(
    outputs.shape,
    (await cotangentsOf(outputs, first)).data.map((value, at) => value - cotangents.data[at]!),
  );
  const rises: Float32Array[] = [];
  for await (const { logits } of logitRows(bundle, shifted(outputs, apart, STEP), head, signal)) rises.push(logits.slice());
  for await (const { row, logits } of logitRows(bundle, shifted(outputs, apart, -STEP), head, signal))
    addFloats(
      rises[row]!,
      logits.map((value) => -value),
    );
  const labels: number[] = [];
  for (let row = 0; row < count; row++) {
    const sent = rowOf(cotangents, row);
    const near = matches[wire] * length(sent);
    let best = { label: first[row]!, distance: length(rowOf(apart, row)) };
    const order = Int32Array.from(rises[row]!.keys()).sort((a, b) => rises[row]![b]! - rises[row]![a]!);
    const most = Math.min(order.length, MOST_CANDIDATES);
    for (let from = 0, size = FIRST_CANDIDATES; from < most && best.distance > near; from += size, size = CANDIDATES) {
      const likely = order.subarray(from, Math.min(most, from + size));
      const repeated = concatRows([...likely].map(() => f32([1, d], rowOf(outputs, row))));
      const found = await cotangentsOf(repeated, likely);
      for (const [at, label] of likely.entries()) {
        const distance = length(rowOf(found, at).map((value, i) => value - sent[i]!));
        if (distance < best.distance) best = { label, distance };
      }
    }
    labels.push(best.label);
  }
  return labels;
}

function rowsFrom({ shape, data }: Floats, from: number): Floats {
  const [count, d] = shape as [number, number];
  const end = Math.min(count, from + ROWS);
  return f32([end - from, d], data.slice(from * d, end * d));
}

function shifted(rows: Floats, cotangents: Floats, step: number): Floats {
  const d = rows.shape[1]!;
  const data = rows.data.slice();
  for (let at = 0; at < data.length; at += d) {
    const [row, cotangent] = [rows.data.subarray(at, at + d), cotangents.data.subarray(at, at + d)];
    const scale = (step * length(row)) / (length(cotangent) || 1);
    for (let i = 0; i < d; i++) data[at + i] = row[i]! + scale * cotangent[i]!;
  }
  return f32(rows.shape, data);
}

const length = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
