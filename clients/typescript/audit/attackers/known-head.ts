/**
 * A3: the cotangent of cross-entropy at a row is (softmax - onehot of the label), pulled back
 * through head and norm. The vendor has the row. So with a known head it computes the cotangent of
 * each likely label and takes the one that was sent.
 */
import { f32, type Tensor } from '../../../../src/tensor/tensor.js';
import type { HeadParts } from '../../model/client-bundle.js';
import { attacker, type VendorView } from '../attacker.js';
import { logitRows } from '../logit-rows.js';
import { type LabelGuess, labelMeasures } from '../metrics.js';
import { predictedTokens } from '../seen.js';

type Floats = Tensor<'float32'>;

/** Labels whose cotangents are computed for a row. */
const CANDIDATES = 48;
/** Rows whose logits are held at a time. */
const ROWS = 32;
/** The step along a cotangent, relative to the row's length. */
const STEP = 1e-2;

export const knownHead = attacker<readonly (readonly LabelGuess[])[]>({
  id: 'A3',
  title: 'labels from cotangents, with a known head',
  knows: 'the rows and their cotangents, and the head with what the adapter trains of it (the worst case)',
  says: `the cotangents of ${CANDIDATES} likely labels are computed for each row; the label whose cotangent is nearest is the guess.`,
  async skipped(view) {
    return cotangentsMissing(view);
  },
  async attack(view, { signal, progress }) {
    const guesses: LabelGuess[][] = [];
    for (let at = 0; at < view.records; at++) {
      const seen = await view.record(at);
      const tokens = predictedTokens(seen);
      const { softPrompt: _, prefix: __, blockWeights: ___, ...head } = await view.parts(at);
      const labels: number[] = [];
      for (let from = 0; from < tokens.length; from += ROWS) {
        const [outputs, cotangents] = [rowsFrom(seen.outputs!, from), rowsFrom(seen.cotangents!, from)];
        labels.push(...(await labelsOfRows(view, outputs, cotangents, head, signal)));
      }
      guesses.push(labels.map((label, row) => ({ token: head.classifier === undefined ? tokens[row]! : 0, label })));
      progress(at + 1, view.records);
    }
    return guesses;
  },
  score: labelMeasures,
});

/** Why an attacker of cotangents cannot run; undefined: it can. */
export async function cotangentsMissing(view: VendorView): Promise<string | undefined> {
  if (!view.answered) return 'nothing was answered, so no cotangent was sent; run it with a gateway';
  const { top } = view.bundle.dims;
  if (top > 0) return `the client holds ${top} top ${top === 1 ? 'block' : 'blocks'}, through which this attacker does not go yet`;
  if ((await view.record(0)).cotangents === undefined) return 'this adapter trains nothing below the head, so no cotangent was sent';
  return undefined;
}

async function labelsOfRows(
  { bundle }: VendorView,
  outputs: Floats,
  cotangents: Floats,
  head: HeadParts,
  signal?: AbortSignal,
): Promise<readonly number[]> {
  const [count, d] = outputs.shape as [number, number];
  const shifts = [STEP, -STEP].map((step) => shifted(outputs, cotangents, step));
  const changes: Float32Array[] = [];
  for await (const { logits } of logitRows(bundle, shifts[0]!, head, signal)) changes.push(logits.slice());
  for await (const { row, logits } of logitRows(bundle, shifts[1]!, head, signal)) {
    const change = changes[row]!;
    for (let label = 0; label < change.length; label++) change[label] = change[label]! - logits[label]!;
  }
  const labels: number[] = [];
  for (let row = 0; row < count; row++) {
    // Against the cotangent, the label's logit rises most.
    const change = changes[row]!;
    const order = Int32Array.from(change.keys()).sort((a, b) => change[a]! - change[b]!);
    const likely = order.subarray(0, CANDIDATES);
    const repeated = new Float32Array(likely.length * d);
    for (let at = 0; at < likely.length; at++) repeated.set(outputs.data.subarray(row * d, (row + 1) * d), at * d);
    const wanted = cotangents.data.subarray(row * d, (row + 1) * d);
    const found = await bundle.losses(f32([likely.length, d], repeated), BigInt64Array.from(likely, BigInt), {
      wantCotangent: true,
      head,
      signal,
    });
    labels.push(likely[nearest(found.cotangent!, wanted)]!);
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

/** Which row of `rows` is nearest. */
function nearest(rows: Float32Array, wanted: Float32Array): number {
  let best = { at: 0, distance: Number.POSITIVE_INFINITY };
  for (let at = 0; at < rows.length / wanted.length; at++) {
    let distance = 0;
    for (let i = 0; i < wanted.length; i++) distance += (rows[at * wanted.length + i]! - wanted[i]!) ** 2;
    if (distance < best.distance) best = { at, distance };
  }
  return best.at;
}
