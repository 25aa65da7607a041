/** Tables as data: one definition gives the SQL that creates them and kysely's types. */
import { type CreateTableBuilder, type Expression, type Kysely, PostgresAdapter, sql } from 'kysely';

type ColumnKind = keyof ColumnValues;
type ColumnTypes = Readonly<Record<ColumnKind, Expression<unknown>>>;

const sqliteTypes: ColumnTypes = { text: sql`text`, integer: sql`bigint`, bytes: sql`blob` };
/** Text is compared by its bytes, as SQLite does it. */
const postgresTypes: ColumnTypes = { text: sql`text collate "C"`, integer: sql`bigint`, bytes: sql`bytea` };

/** Integers are whole numbers below 2^53. */
interface ColumnValues {
  text: string;
  integer: number;
  bytes: Uint8Array;
}

/** A table. */
export interface TableDefinition {
  /** The kind of each column; `?` allows null. */
  readonly columns: Readonly<Record<string, ColumnKind | `${ColumnKind}?`>>;
  readonly primaryKey: readonly string[];
  /** A foreign key; deleting the row that it names deletes this row too. */
  readonly references?: { readonly columns: readonly string[]; readonly table: string; readonly key: readonly string[] };
}

type TableDefinitions = Readonly<Record<string, TableDefinition>>;
type ColumnDefinitions = Readonly<Record<string, Pick<TableDefinition, 'columns'>>>;

type ValueOf<Column> = Column extends `${infer Kind extends ColumnKind}?`
  ? ColumnValues[Kind] | null
  : Column extends ColumnKind
    ? ColumnValues[Column]
    : never;

/** The rows of these tables, for kysely. */
export type SchemaOf<Tables extends ColumnDefinitions> = {
  [Name in keyof Tables]: { -readonly [Column in keyof Tables[Name]['columns']]: ValueOf<Tables[Name]['columns'][Column]> };
};

/** Creates these tables, in their order: a step of a migration. */
export async function createTables(db: Kysely<unknown>, tables: TableDefinitions): Promise<void> {
  const types = typesOf(db);
  for (const [table, { columns, primaryKey, references }] of Object.entries(tables)) {
    let create: CreateTableBuilder<string, string> = db.schema.createTable(table);
    for (const [name, column] of Object.entries(columns))
      create = create.addColumn(name, types[kindOf(column)], (built) => (column === kindOf(column) ? built.notNull() : built));
    create = create.addPrimaryKeyConstraint(`${table}_key`, [...primaryKey]);
    if (references !== undefined) {
      const { columns: own, table: parent, key } = references;
      create = create.addForeignKeyConstraint(`${table}_of`, [...own], parent, [...key], (built) => built.onDelete('cascade'));
    }
    await create.execute();
  }
}

/** Adds columns, which allow null, to tables that there are: a step of a migration. */
export async function addColumns(db: Kysely<unknown>, tables: ColumnDefinitions): Promise<void> {
  const types = typesOf(db);
  for (const [table, { columns }] of Object.entries(tables))
    for (const [name, column] of Object.entries(columns))
      await db.schema.alterTable(table).addColumn(name, types[kindOf(column)]).execute();
}

const typesOf = (db: Kysely<unknown>): ColumnTypes => (db.getExecutor().adapter instanceof PostgresAdapter ? postgresTypes : sqliteTypes);

/** A column is a kind, with or without the mark. */
const kindOf = (column: string): ColumnKind => column.replace('?', '') as ColumnKind;
