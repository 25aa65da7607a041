/** A store at one moment, for a backup. */
import type { ColumnValue } from './column-value.js';

/** All tables as one transaction sees them. */
export interface Snapshot {
  /** Names of the migrations, sorted. */
  readonly migrations: readonly string[];
  /** Tables in the order in which they were made: parents come first. */
  readonly tables: readonly string[];
  rows(table: string): AsyncIterable<Readonly<Record<string, ColumnValue>>>;
}
