/** The base of the repositories. */
import type { Kysely } from 'kysely';
import type { CoordinatorSchema } from './schema.js';

/** Access to some of the tables, within one transaction. */
export abstract class Repository {
  protected readonly db: Kysely<CoordinatorSchema>;

  constructor(db: Kysely<CoordinatorSchema>) {
    this.db = db;
  }
}
