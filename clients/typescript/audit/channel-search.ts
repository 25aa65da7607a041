/** A0 under a learned transform: the token of the table under whose law a row is the likeliest. */
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { VendorView } from './attacker.js';
import { RowChannel } from './row-channel.js';
import { type SearchOptions, tableChunks } from './table-search.js';
import { positionRows } from './text-rows.js';

/** A sent row, and its likeliest token so far. */
interface Searched {
  readonly row: Float32Array;
  token: number;
  logLikelihood: number;
}

/** Rows at one position, which the transform takes with it. */
interface Placed {
  readonly position: Float32Array | undefined;
  readonly rows: Searched[];
}

/** The likeliest token of each row, by record. */
export async function likeliestTableRows(
  view: VendorView & { readonly rowTransform: NonNullable<VendorView['rowTransform']> },
  options: SearchOptions,
): Promise<readonly (readonly number[])[]> {
  const { bundle, rowTransform, wire } = view;
  const d = bundle.dims.hiddenSize;
  const channel = new RowChannel(rowTransform, wire);
  const places = new Map<number, Placed>();
  const records: (readonly Searched[])[] = [];
  for (let at = 0; at < view.records; at++) {
    const { rows, virtualTokens } = await view.record(at);
    const positions = await positionRows(bundle, rows.shape[0]!, virtualTokens, options.signal);
    const searched = rowsOf(rows).map((row): Searched => ({ row, token: 0, logLikelihood: Number.NEGATIVE_INFINITY }));
    for (const [place, one] of searched.entries()) {
      // Without learned positions all are alike.
      const key = positions === undefined ? 0 : place;
      const placed = places.get(key) ?? { position: positions?.[place], rows: [] };
      placed.rows.push(one);
      places.set(key, placed);
    }
    records.push(searched);
  }
  for await (const { first, table } of tableChunks(bundle, options))
    for (const { position, rows } of places.values())
      for (let at = 0; at < table.length; at += d) {
        const law = channel.lawOf(table.subarray(at, at + d), position);
        for (const one of rows) {
          const { logLikelihood } = channel.judge(one.row, law);
          if (logLikelihood > one.logLikelihood) Object.assign(one, { token: first + at / d, logLikelihood });
        }
      }
  return records.map((rows) => rows.map(({ token }) => token));
}

function rowsOf({ shape, data }: Tensor<'float32'>): readonly Float32Array[] {
  const [count, d] = shape as [number, number];
  return Array.from({ length: count }, (_, row) => data.subarray(row * d, (row + 1) * d));
}
