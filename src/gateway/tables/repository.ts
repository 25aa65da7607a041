/** The base of the repositories. */
import type { Kysely } from 'kysely';
import type { GatewaySchema } from './schema.js';

/** Access to some of the tables, within one transaction. */
export abstract class Repository {
  protected readonly db: Kysely<GatewaySchema>;

  constructor(db: Kysely<GatewaySchema>) {
    this.db = db;
  }
}
