/** Running sums of a round, each with the set of members that are in it: the database itself refuses to count one twice. */
import type { Kysely } from 'kysely';
import { CutlayerError } from '../../errors.js';
import type { StoreSchema } from './schema.js';

/** A sum and who is in it. */
export interface AccumulatorRow {
  readonly bytes: Uint8Array;
  /** Sorted. */
  readonly members: readonly string[];
}

/** Within one transaction. */
export class Accumulators {
  readonly #db: Kysely<StoreSchema>;

  constructor(db: Kysely<StoreSchema>) {
    this.#db = db;
  }

  /** Undefined when nobody is in it yet. */
  async read(federation: string, round: number, name: string): Promise<AccumulatorRow | undefined> {
    const row = await this.#one(federation, round, name).select('bytes').executeTakeFirst();
    if (row === undefined) return undefined;
    const members = await this.#db
      .selectFrom('accumulator_members')
      .select('member')
      .where('federation', '=', federation)
      .where('round', '=', round)
      .where('name', '=', name)
      .execute();
    return { bytes: row.bytes, members: members.map(({ member }) => member).sort() };
  }

  /**
   * Puts the sum that has the member's share in it in the place of the one before.
   * @throws CutlayerError ALREADY_EXISTS when the member is in it already
   */
  async include(row: {
    readonly federation: string;
    readonly round: number;
    readonly name: string;
    readonly member: string;
    /** The new sum. */
    readonly bytes: Uint8Array;
  }): Promise<void> {
    const { federation, round, name, member, bytes } = row;
    if (await this.#isIn(federation, round, name, member)) {
      throw new CutlayerError('ALREADY_EXISTS', `round ${round}, sum ${name}: ${member} is in it already`);
    }
    const there = await this.#one(federation, round, name).select('round').executeTakeFirst();
    if (there === undefined) await this.#db.insertInto('accumulators').values({ federation, round, name, bytes }).execute();
    else {
      await this.#db
        .updateTable('accumulators')
        .set({ bytes })
        .where('federation', '=', federation)
        .where('round', '=', round)
        .where('name', '=', name)
        .execute();
    }
    await this.#db.insertInto('accumulator_members').values({ federation, round, name, member }).execute();
  }

  /** Drops the sums of one round and returns how many went. */
  async pruneRound(federation: string, round: number): Promise<number> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('accumulators')
      .where('federation', '=', federation)
      .where('round', '=', round)
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }

  /** Drops the sums of all rounds before `round` and returns how many went. */
  async pruneBefore(federation: string, round: number): Promise<number> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('accumulators')
      .where('federation', '=', federation)
      .where('round', '<', round)
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }

  async #isIn(federation: string, round: number, name: string, member: string): Promise<boolean> {
    const row = await this.#db
      .selectFrom('accumulator_members')
      .select('member')
      .where('federation', '=', federation)
      .where('round', '=', round)
      .where('name', '=', name)
      .where('member', '=', member)
      .executeTakeFirst();
    return row !== undefined;
  }

  #one(federation: string, round: number, name: string) {
    return this.#db.selectFrom('accumulators').where('federation', '=', federation).where('round', '=', round).where('name', '=', name);
  }
}
