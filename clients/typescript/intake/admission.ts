/** Where records that are handed in go. */

/** What came of a record that was handed in. */
export type Admission = 'accepted' | 'duplicate' | { readonly reason: string };

/** Keeps records. */
export interface ExampleSink {
  /**
   * Takes lines of JSON: new and right ones are on disk when this returns.
   * @returns One outcome per line.
   * @throws CutlayerError DATA_FULL (nothing was taken), IO_ERROR
   */
  admit(lines: readonly string[]): Promise<readonly Admission[]>;
  /** As {@link admit}, of feedback on completions; absent where none is taken. */
  feedback?(lines: readonly string[]): Promise<readonly Admission[]>;
  /** Numbers about the data, without a word of it. */
  readonly counts: object;
}
