/**
 * What crosses between client and vendor, in the words of help, notes, the bundle's README and
 * reports. The document on privacy says more.
 */

/** Holds at every cut. */
export const exposure =
  "Text and labels are not in any message, and neither they nor the adapter's file is stored or logged by the gateway. " +
  'The values of a soft prompt or prefix are sent at each step.';

/** What the vendor could do at a cut. @param bottom Blocks below the backbone, at the client. */
export function exposureAt(bottom: number): string {
  return bottom === 0
    ? 'At this cut (k = 0) the vendor, who owns the embedding table, could look the tokens up from activations.'
    : 'The vendor may still infer something about the text from activations.';
}

/** The line that a command prints where the cut is the default one; undefined at another cut. */
export function exposureNote(bottom: number): string | undefined {
  return bottom === 0 ? `note: ${exposureAt(0)} ${exposure}` : undefined;
}
