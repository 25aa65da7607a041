/** The one place where the column types of the database engines differ. */
import { type RawBuilder, sql } from 'kysely';

/** What a column holds. */
export type ColumnKind = 'text' | 'integer' | 'bytes';

/** A database engine that the store's SQL is written for. */
export type Engine = 'sqlite' | 'postgres';

const typeNames: { readonly [E in Engine]: { readonly [K in ColumnKind]: string } } = {
  sqlite: { text: 'text', integer: 'bigint', bytes: 'blob' },
  postgres: { text: 'text', integer: 'bigint', bytes: 'bytea' },
};

/** The engine's own name of a column type. */
export function columnType(engine: Engine, kind: ColumnKind): RawBuilder<unknown> {
  return sql.raw(typeNames[engine][kind]);
}
