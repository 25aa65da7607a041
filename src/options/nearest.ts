/** The known word that was probably meant. */
import { closest, distance } from 'fastest-levenshtein';

/** The candidate with the fewest edits to `word`; undefined when all of them are far. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const best = closest(word, candidates);
  return distance(word, best) <= Math.max(2, Math.floor(word.length / 3)) ? best : undefined;
}
