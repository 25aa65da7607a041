/** What feedback is trained on. */

/** Least rating of a completion that is trained on, when nothing is said. */
export const DEFAULT_MIN_RATING = 4;
