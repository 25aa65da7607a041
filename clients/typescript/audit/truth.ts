/** What the records of an audit really were: for scoring alone, no attacker is given it. */
import type { Example } from '../data/examples.js';
import type { Planted } from './planted.js';

/** Records with their labels: their own, and what the client has made of them. */
export interface Truth {
  /** Those of the view, in its order, as they are: labels are judged by them. */
  readonly examples: readonly Example[];
  /** The same as they were sent, where a defence draws labels anew: tokens are judged by them. */
  readonly sent: readonly Example[];
  /** Records of the user's own; those after them are planted. */
  readonly own: number;
  readonly planted: readonly Planted[];
  /** The adapter's classes; undefined: labels are tokens. */
  readonly classes: number | undefined;
  readonly text: (ids: readonly number[]) => string;
  readonly seed: number;
}
