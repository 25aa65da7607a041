/** Why attackers cannot run, where several have the same reason; undefined: they can. */
import type { ClientBundle } from '../model/client-bundle.js';

/** Memory that an attacker may hold for the vocabulary. */
const MOST_BYTES = 1.5 * 1024 ** 3;

/** @param what What takes the memory, as `the rows`. @param values Numbers of each token. */
export function tooLarge(what: string, { vocabSize }: Pick<ClientBundle, 'vocabSize'>, values: number): string | undefined {
  const bytes = 4 * vocabSize * values;
  return bytes <= MOST_BYTES ? undefined : `${what} take ${(bytes / 1e9).toFixed(1)} GB, and this attacker holds at most 1.6`;
}

/** Of attackers that read what the backbone answers. */
export function behindTopBlocks({ dims: { top } }: Pick<ClientBundle, 'dims'>): string | undefined {
  if (top === 0) return undefined;
  return `the client holds ${top} top ${top === 1 ? 'block' : 'blocks'}, through which this attacker does not go yet`;
}
