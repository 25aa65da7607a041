/** A2: what rows of each token look like is learned from other texts; so each row is read. */
import { attacker } from '../attacker.js';
import { inverterMissing, inverterOf } from '../inverter.js';
import { tokenMeasures } from '../metrics.js';

export const learnedInverter = attacker<readonly (readonly number[])[]>({
  id: 'A2',
  title: 'inverter that is learned from other texts',
  knows: 'the held blocks, the defences but not their secret, and records of the data that are not audited, as text of the same kind',
  says: 'it sends those texts itself, learns what rows of each token look like, and takes the likeliest token for each row.',
  async skipped(view) {
    return inverterMissing(view);
  },
  async attack(view, { signal, progress }) {
    const { records } = view;
    const inverter = await inverterOf(view, { signal, onProgress: (done, total) => progress(done, total + records) });
    const guesses: (readonly number[])[] = [];
    for (let at = 0; at < records; at++) {
      signal?.throwIfAborted();
      const { rows } = await view.record(at);
      guesses.push(Array.from({ length: rows.shape[0]! }, (_, place) => inverter.likeliest(rows, place, 1)[0]!.token));
      progress(at + 1, records);
    }
    return guesses;
  },
  score: tokenMeasures,
});
