/** Changes of named values: null takes one away. @see RFC 7396 */

/** A change of values of a type. */
export type ValueChange<Values extends object> = { readonly [N in keyof Values]?: Values[N] | null | undefined };

/** The values after a change, without those that are absent. */
export function valuesAfter<Values extends object>(values: ValueChange<Values>, change: ValueChange<Values>): Values {
  const named = Object.entries(change).filter(([, value]) => value !== undefined);
  const after = Object.entries({ ...values, ...Object.fromEntries(named) }).filter(([, value]) => value != null);
  return Object.fromEntries(after) as Values; // of its names, with a value each
}
