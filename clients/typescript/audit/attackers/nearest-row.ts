/** A0: at k = 0 an activation row is a row of the embedding table, which the vendor owns. */
import { concatRows } from '../../../../src/tensor/floats.js';
import type { Tensor } from '../../../../src/tensor/tensor.js';
import { attacker } from '../attacker.js';
import { likeliestTableRows } from '../channel-search.js';
import { tokenMeasures } from '../metrics.js';
import { nearestTableRows, withoutPositions } from '../table-search.js';

export const nearestRow = attacker<readonly (readonly number[])[]>({
  id: 'A0',
  title: 'nearest row of the embedding table',
  knows: 'the embedding table, the rows that are sent, and the values of a learned transform of theirs',
  says: 'each row that is sent is compared with the whole table; the nearest token, or under a learned transform the likeliest, is the guess.',
  async skipped({ bundle: { dims } }) {
    if (dims.bottom === 0) return undefined;
    return `the client holds ${dims.bottom} bottom ${dims.bottom === 1 ? 'block' : 'blocks'}, so rows are not those of the table; see A1`;
  },
  async attack(view, { signal, progress }) {
    const { bundle, rowTransform } = view;
    if (rowTransform !== undefined) return likeliestTableRows({ ...view, rowTransform }, { signal, onProgress: progress });
    const records: Tensor<'float32'>[] = [];
    for (let at = 0; at < view.records; at++) {
      const { rows, virtualTokens } = await view.record(at);
      records.push(await withoutPositions(bundle, rows, virtualTokens, signal));
    }
    const found = await nearestTableRows(bundle, concatRows(records), { signal, onProgress: progress });
    const guesses: (readonly number[])[] = [];
    let from = 0;
    for (const { shape } of records) {
      guesses.push(found.slice(from, from + shape[0]!));
      from += shape[0]!;
    }
    return guesses;
  },
  score: tokenMeasures,
});
