/** The life of tokens that registered clients ask for. */

/** The longest one, in seconds. */
export const ACCESS_TOKEN_SECONDS = 600;
