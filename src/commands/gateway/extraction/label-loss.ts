/** The loss of known labels over a backbone's rows: through the client's top and head. */
import type { ClientBundle } from '../../../../clients/typescript/model/client-bundle.js';
import { rowLosses } from '../../../../clients/typescript/model/row-losses.js';
import { f32, type Tensor, tensor } from '../../../tensor/tensor.js';
import type { AttackText } from './attack-texts.js';

type Floats = Tensor<'float32'>;

/** Of some texts. */
export interface LabelLoss {
  /** Of each text: its targets, those predicted right, and the sum of their losses. */
  readonly texts: readonly { targets: number; correct: number; lossSum: number }[];
  /** [B * S, d], of the sum of the losses; absent unless asked for. */
  readonly cotangent?: Float32Array;
}

/** Rows of logits of one run. */
const CHUNK_VALUES = 1 << 22;

/** @param output the backbone's rows [B * S, d] of texts, padded to one length */
export async function labelLoss(
  bundle: ClientBundle,
  output: Floats,
  texts: readonly AttackText[],
  { wantCotangent, signal }: { readonly wantCotangent: boolean; readonly signal?: AbortSignal | undefined },
): Promise<LabelLoss> {
  const [rows, width] = output.shape as [number, number];
  const sequence = rows / texts.length;
  // The row before a token predicts it.
  const targets = texts.flatMap(({ tokenIds, labelMask }, text) =>
    [...labelMask.keys()].flatMap((token) =>
      token > 0 && labelMask[token] === 1 ? [{ text, row: text * sequence + token - 1, label: tokenIds[token]! }] : [],
    ),
  );
  const sums = texts.map(() => ({ targets: 0, correct: 0, lossSum: 0 }));
  if (targets.length === 0) return { texts: sums, ...(wantCotangent && { cotangent: new Float32Array(rows * width) }) };
  const positions = targets.map(({ row }) => row);
  const variant = { span: 'top', kind: 'none', trained: false } as const;
  const feeds = {
    hiddenStates: f32([texts.length, sequence, width], output.data),
    positions: tensor('int64', [positions.length], BigInt64Array.from(positions, BigInt)),
  };
  const hasTop = bundle.has('top');
  const wanted = hasTop ? (await bundle.spanForward(variant, feeds, signal)).rows! : gathered(output, positions);
  const found = await rowLosses(
    bundle,
    wanted,
    { rowOfTarget: Int32Array.from(targets.keys()), labels: BigInt64Array.from(targets, ({ label }) => BigInt(label)) },
    { chunkRows: Math.max(1, Math.floor(CHUNK_VALUES / bundle.vocabSize)), wantCotangent, signal },
  );
  for (const [at, { text }] of targets.entries()) {
    const sum = sums[text]!;
    sum.targets += 1;
    sum.correct += found.correct[at]!;
    sum.lossSum += found.nll[at]!;
  }
  if (found.cotangent === undefined) return { texts: sums };
  if (hasTop) {
    const below = await bundle.spanVjp(variant, { ...feeds, rowsCotangent: found.cotangent }, { signal });
    return { texts: sums, cotangent: below.hiddenStatesCotangent!.data };
  }
  const cotangent = new Float32Array(rows * width);
  for (const [at, row] of positions.entries()) cotangent.set(found.cotangent.data.subarray(at * width, (at + 1) * width), row * width);
  return { texts: sums, cotangent };
}

function gathered({ data, shape }: Floats, positions: readonly number[]): Floats {
  const width = shape[1]!;
  const rows = new Float32Array(positions.length * width);
  for (const [at, row] of positions.entries()) rows.set(data.subarray(row * width, (row + 1) * width), at * width);
  return f32([positions.length, width], rows);
}
