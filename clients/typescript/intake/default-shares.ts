/** Default shares of examples; options read them without the code that uses them. */

/** Share that is held out when nothing is said. */
export const DEFAULT_HELD_OUT_SHARE = 0.1;

/** Share of a round's training set that earlier examples make up, when nothing is said. */
export const DEFAULT_REHEARSAL = 0.3;
