/** The loss of a known record's labels at the rows that came back. */
import { f32 } from '../../../src/tensor/tensor.js';
import type { StepParts } from '../adapters/adapter.js';
import type { Example } from '../data/examples.js';
import type { ClientBundle } from '../model/client-bundle.js';
import { lastRows } from './last-rows.js';
import { predictedTokens, type SeenRecord } from './seen.js';

/** Nats of each label that a row predicts, by its token; a class by 0. */
export async function labelLosses(
  bundle: ClientBundle,
  seen: SeenRecord,
  { tokenIds, labelMask, classLabel }: Example,
  parts: StepParts,
  signal?: AbortSignal,
): Promise<ReadonlyMap<number, number>> {
  const { headLora, tokenRows, classifier } = parts;
  const { shape, data } = await lastRows(bundle, seen, parts, signal);
  const d = shape[1]!;
  const ofClass = classifier !== undefined;
  const rows = [...predictedTokens(seen).entries()].filter(([, token]) => (ofClass ? token === tokenIds.length : labelMask[token] === 1));
  if (rows.length === 0) return new Map();
  const values = new Float32Array(rows.length * d);
  for (const [at, [row]] of rows.entries()) values.set(data.subarray(row * d, (row + 1) * d), at * d);
  const labels = BigInt64Array.from(rows, ([, token]) => BigInt(ofClass ? (classLabel ?? 0) : tokenIds[token]!));
  const head = { ...(headLora && { headLora }), ...(tokenRows && { tokenRows }), ...(classifier && { classifier }) };
  const { nll } = await bundle.losses(f32([rows.length, d], values), labels, { wantCotangent: false, head, signal });
  return new Map(rows.map(([, token], at) => [ofClass ? 0 : token, nll[at]!]));
}
