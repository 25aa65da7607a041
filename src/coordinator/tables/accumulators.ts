/** Running sums of a round, each with its members; the database counts no member twice. */
import { CutlayerError } from '../../errors.js';
import { Repository } from './repository.js';

/** A sum and its members. */
export interface AccumulatorRow {
  readonly bytes: Uint8Array;
  /** Sorted. */
  readonly members: readonly string[];
}

/** Within one transaction. */
export class Accumulators extends Repository {
  /** Undefined before the first member. */
  async read(federation: string, round: number, name: string): Promise<AccumulatorRow | undefined> {
    const row = await this.db
      .selectFrom('accumulators')
      .select('bytes')
      .where('federation', '=', federation)
      .where('round', '=', round)
      .where('name', '=', name)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const members = await this.#members(federation, round, name).execute();
    return { bytes: row.bytes, members: members.map(({ member }) => member).sort() };
  }

  /**
   * Replaces the sum by one with the member's share.
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
    if ((await this.#members(federation, round, name).where('member', '=', member).executeTakeFirst()) !== undefined)
      throw new CutlayerError('ALREADY_EXISTS', `round ${round}, sum ${name}: ${member} is in it already`);
    await this.db
      .insertInto('accumulators')
      .values({ federation, round, name, bytes })
      .onConflict((conflict) => conflict.columns(['federation', 'round', 'name']).doUpdateSet({ bytes }))
      .execute();
    await this.db.insertInto('accumulator_members').values({ federation, round, name, member }).execute();
  }

  #members(federation: string, round: number, name: string) {
    return this.db
      .selectFrom('accumulator_members')
      .select('member')
      .where('federation', '=', federation)
      .where('round', '=', round)
      .where('name', '=', name);
  }
}
