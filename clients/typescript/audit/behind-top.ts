/**
 * Labels from cotangents that have come down through top blocks which the client holds. A row's own
 * cotangent comes from its label and from later rows. So the last row is solved first: its block of
 * the vjp is a matrix that the vendor can compute. Its label is then taken out of all rows.
 */
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { StepParts } from '../adapters/adapter.js';
import type { ClientBundle } from '../model/client-bundle.js';
import { topFeeds } from './last-rows.js';
import { solve } from './linear-solve.js';
import type { SeenRecord } from './seen.js';

type Floats = Tensor<'float32'>;

/** What is solved. */
export interface BehindTop {
  readonly bundle: ClientBundle;
  readonly seen: SeenRecord;
  readonly parts: Pick<StepParts, 'softPrompt' | 'prefix'>;
  /** A cotangent that is so much smaller than the largest is none. */
  readonly least: number;
  /** The label of a row [1, d] by its cotangent [1, d], and that label's exact cotangent. */
  labelOf(row: Floats, cotangent: Floats): Promise<{ readonly label: number; readonly exact: Float32Array }>;
  readonly signal?: AbortSignal | undefined;
}

/** Copies of a text that go through the blocks at a time. */
const COPIES = 32;

/** The label of each row that has one, by its number. @param rows [N, d], behind the blocks */
export async function labelsBehindTop(given: BehindTop, rows: Floats): Promise<ReadonlyMap<number, number>> {
  const { seen, least, labelOf, signal } = given;
  const [count, d] = rows.shape as [number, number];
  const rest = Float64Array.from(seen.cotangents!.data);
  const sizeOf = (row: number): number => Math.hypot(...rest.subarray(row * d, (row + 1) * d));
  const most = Math.max(...Array.from({ length: count }, (_, row) => sizeOf(row)));
  const labels = new Map<number, number>();
  for (let row = count - 1; row >= 0; row--) {
    signal?.throwIfAborted();
    if (sizeOf(row) <= least * most) continue;
    const own = await ownBlock(given, row);
    const cotangent = solve(own, rest.slice(row * d, (row + 1) * d));
    if (cotangent === undefined) continue;
    const { label, exact } = await labelOf(f32([1, d], rows.data.slice(row * d, (row + 1) * d)), f32([1, d], Float32Array.from(cotangent)));
    labels.set(row, label);
    const below = await pulledBack(given, row, [exact]);
    for (let at = 0; at < below.length; at++) rest[at] = rest[at]! - below[at]!;
  }
  return labels;
}

/** The matrix [d, d] from a row's cotangent behind the blocks to the same row's before them. */
async function ownBlock(given: BehindTop, row: number): Promise<Float64Array> {
  const d = given.bundle.dims.hiddenSize;
  const own = new Float64Array(d * d);
  for (let from = 0; from < d; from += COPIES) {
    const units = Array.from({ length: Math.min(COPIES, d - from) }, (_, at) => new Float32Array(d).fill(1, from + at, from + at + 1));
    const below = await pulledBack(given, row, units);
    const size = (row + 1) * d;
    for (let unit = 0; unit < units.length; unit++)
      for (let i = 0; i < d; i++) own[i * d + from + unit] = below[unit * size + row * d + i]!;
  }
  return own;
}

/** Of each cotangent of one row, the cotangents of the rows up to it: [cotangents, row + 1, d]. */
async function pulledBack(
  { bundle, seen, parts, signal }: BehindTop,
  row: number,
  cotangents: readonly Float32Array[],
): Promise<Float32Array> {
  const d = bundle.dims.hiddenSize;
  const rowsCotangent = new Float32Array(cotangents.length * d);
  for (const [at, cotangent] of cotangents.entries()) rowsCotangent.set(cotangent, at * d);
  const { variant, feeds } = topFeeds(bundle, seen.outputs!.data.slice(0, (row + 1) * d), parts, {
    copies: cotangents.length,
    rows: [row],
  });
  const all = { ...feeds, rowsCotangent: f32([cotangents.length, d], rowsCotangent) };
  return (await bundle.spanVjp(variant, all, { inputs: ['hiddenStates'], signal })).hiddenStatesCotangent!.data;
}
