/** A step of a schema's history, as data: an owner of tables lists its own. */
import type { ColumnKind } from './column-types.js';

/** A column: what it holds; null only where it says so. */
type Column = ColumnKind | `${ColumnKind}?`;

/** A table to be made. */
export interface TableDefinition {
  readonly table: string;
  readonly columns: Readonly<Record<string, Column>>;
  readonly primaryKey: readonly string[];
  /** Columns that name a row of another table, and that table's primary key. */
  readonly references?: { readonly columns: readonly string[]; readonly table: string; readonly key: readonly string[] };
}

/** A column to be added to a table that exists; it may be null in the rows that are there. */
export interface ColumnAddition {
  readonly table: string;
  readonly addColumn: string;
  readonly type: ColumnKind;
}

/** One step from a version of the schema to the next. */
export interface SchemaMigration {
  readonly name: string;
  readonly changes: readonly (TableDefinition | ColumnAddition)[];
}
