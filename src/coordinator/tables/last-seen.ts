/** When each member was heard last. It is written with the next transition, so it may be older. */
import { Repository } from './repository.js';

/** Rows of one statement. */
const BATCH = 1000;

/** Within one transaction. */
export class LastSeen extends Repository {
  /** @param seen Milliseconds since 1970, by member. */
  async write(federation: string, seen: ReadonlyMap<string, number>): Promise<void> {
    const rows = [...seen].map(([member, at]) => ({ federation, member, at }));
    for (let from = 0; from < rows.length; from += BATCH)
      await this.db
        .insertInto('last_seen')
        .values(rows.slice(from, from + BATCH))
        .onConflict((conflict) => conflict.columns(['federation', 'member']).doUpdateSet(({ ref }) => ({ at: ref('excluded.at') })))
        .execute();
  }

  /** Milliseconds since 1970, by member. */
  async read(federation: string): Promise<ReadonlyMap<string, number>> {
    const rows = await this.db.selectFrom('last_seen').select(['member', 'at']).where('federation', '=', federation).execute();
    return new Map(rows.map(({ member, at }) => [member, at]));
  }
}
