/** How much rows at the cut vary: the unit of their noise. It depends on public weights alone. */
import { f32 } from '../../../src/tensor/tensor.js';
import type { RowPlace } from '../defences/row-stage.js';
import type { ClientBundle } from './client-bundle.js';

/** Tokens that are looked at, evenly spaced in the vocabulary. */
const MOST_TOKENS = 4096;
/** Tokens of a sequence of them. */
const SEQUENCE = 64;

/**
 * The standard deviation of the coordinates of rows at the cut, without an adapter. They are the
 * embedding's rows, or those that leave the held blocks for sequences of such tokens.
 * @param place Where the rows are; at `embedding` no block and no position counts.
 */
export async function rowDeviation(bundle: ClientBundle, place: RowPlace = 'cut'): Promise<number> {
  const { vocabSize, dims } = bundle;
  const count = Math.min(vocabSize, MOST_TOKENS);
  const ids = Array.from({ length: count }, (_, at) => Math.floor((at * vocabSize) / count));
  let [sum, squares, values] = [0, 0, 0];
  for (let from = 0; from < count; from += SEQUENCE) {
    const part = ids.slice(from, from + SEQUENCE);
    const embeds = await bundle.embed(part);
    const inputsEmbeds = f32([1, part.length, dims.hiddenSize], embeds.data);
    const rows =
      place === 'cut' && bundle.has('bottom')
        ? (await bundle.spanForward({ span: 'bottom', kind: 'none', trained: false }, { inputsEmbeds })).hiddenStates!
        : inputsEmbeds;
    for (const value of rows.data) {
      sum += value;
      squares += value * value;
    }
    values += rows.data.length;
  }
  return Math.sqrt(Math.max(0, squares / values - (sum / values) ** 2));
}
