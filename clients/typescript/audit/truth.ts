/** What the records of an audit really were: for scoring alone, no attacker is given it. */
import type { Example } from '../data/examples.js';
import type { Planted } from './planted.js';

/** Records with their labels. */
export interface Truth {
  /** Those of the view, in its order. */
  readonly examples: readonly Example[];
  /** Records of the user's own; those after them are planted. */
  readonly own: number;
  readonly planted: readonly Planted[];
  /** The adapter's classes; undefined: labels are tokens. */
  readonly classes: number | undefined;
  readonly text: (ids: readonly number[]) => string;
  readonly seed: number;
}
