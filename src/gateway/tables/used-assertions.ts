/** Ids of client assertions that have been used, until they end. */
import { Repository } from './repository.js';

/** Within one transaction. */
export class UsedAssertions extends Repository {
  /** Notes an assertion; false when it was used before. Times in milliseconds since 1970. */
  async use({ client, id, endsAt }: { readonly client: string; readonly id: string; readonly endsAt: number }): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.db
      .insertInto('used_assertions')
      .values({ client, id, ends_at: endsAt })
      .onConflict((conflict) => conflict.columns(['client', 'id']).doNothing())
      .executeTakeFirstOrThrow();
    return numInsertedOrUpdatedRows === 1n;
  }

  async count(): Promise<number> {
    const { count } = await this.db
      .selectFrom('used_assertions')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Forgets those that had ended before `now`. */
  async forget(now: number): Promise<void> {
    await this.db.deleteFrom('used_assertions').where('ends_at', '<', now).execute();
  }
}
