/** Ids of tokens that were revoked, until they end. */
import { Repository } from './repository.js';

/** A revoked token. Times in milliseconds since 1970. */
export interface RevokedToken {
  readonly id: string;
  readonly revokedAt: number;
  readonly endsAt: number;
}

/** Within one transaction. */
export class RevokedTokens extends Repository {
  /** Revokes a token; a second time changes nothing. */
  async add({ id, revokedAt, endsAt }: RevokedToken): Promise<void> {
    await this.db
      .insertInto('revoked_tokens')
      .values({ id, revoked_at: revokedAt, ends_at: endsAt })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
  }

  /** Those that were revoked at `since` or later and have not ended. */
  async since(since: number, now: number): Promise<readonly RevokedToken[]> {
    return this.db
      .selectFrom('revoked_tokens')
      .select(['id', 'revoked_at as revokedAt', 'ends_at as endsAt'])
      .where('revoked_at', '>=', since)
      .where('ends_at', '>=', now)
      .execute();
  }

  async count(): Promise<number> {
    const { count } = await this.db
      .selectFrom('revoked_tokens')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Forgets those that had ended before `now`. */
  async forget(now: number): Promise<void> {
    await this.db.deleteFrom('revoked_tokens').where('ends_at', '<', now).execute();
  }
}
