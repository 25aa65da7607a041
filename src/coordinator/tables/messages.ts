/** What members have sent, one message of each for a stage of a round: the same one again is welcome, another one is refused. */
import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import { CutlayerError } from '../../errors.js';
import type { StoreSchema } from './schema.js';

/** Where a message belongs. */
export interface MessageKey {
  readonly federation: string;
  readonly round: number;
  readonly stage: string;
  readonly member: string;
}

/** A message. */
export interface MessageRow {
  readonly round: number;
  readonly stage: string;
  readonly member: string;
  /** sha256 of the bytes, hex. */
  readonly digest: string;
  /** Number of bytes. */
  readonly length: number;
  /** Null when only the digest was kept. */
  readonly bytes: Uint8Array | null;
  readonly at: number;
}

const columns = ['round', 'stage', 'member', 'digest', 'length', 'bytes', 'at'] as const;

/** Within one transaction. */
export class Messages {
  readonly #db: Kysely<StoreSchema>;

  constructor(db: Kysely<StoreSchema>) {
    this.#db = db;
  }

  /**
   * Keeps a message, or finds that it is here already.
   * @param message With `keepBytes` false only digest and length stay, which is enough to know it again: for bytes that are part of a sum by now.
   * @throws CutlayerError SUBMISSION_CONFLICT when the member has sent something else for this stage
   */
  async put(
    message: MessageKey & { readonly bytes: Uint8Array; readonly at: number; readonly keepBytes?: boolean },
  ): Promise<'stored' | 'repeated'> {
    const { federation, round, stage, member, bytes, at, keepBytes = true } = message;
    const digest = createHash('sha256').update(bytes).digest('hex');
    const before = await this.#one(message).select('digest').executeTakeFirst();
    if (before !== undefined) {
      if (before.digest === digest) return 'repeated';
      throw new CutlayerError(
        'SUBMISSION_CONFLICT',
        `round ${round}, ${stage}: expected the message that ${member} has sent before, got another one`,
      );
    }
    await this.#db
      .insertInto('messages')
      .values({ federation, round, stage, member, digest, length: bytes.length, bytes: keepBytes ? bytes : null, at })
      .execute();
    return 'stored';
  }

  /** Undefined when there is none. */
  async read(key: MessageKey): Promise<MessageRow | undefined> {
    return this.#one(key).select(columns).executeTakeFirst();
  }

  /** Whether there is one. */
  async has(key: MessageKey): Promise<boolean> {
    return (await this.#one(key).select('member').executeTakeFirst()) !== undefined;
  }

  /** Who has sent one, by name. */
  async members(federation: string, round: number, stage: string): Promise<string[]> {
    const rows = await this.#ofStage(federation, round, stage).select('member').execute();
    return rows.map(({ member }) => member).sort();
  }

  /** All of a stage, by member. */
  async list(federation: string, round: number, stage: string): Promise<MessageRow[]> {
    const rows = await this.#ofStage(federation, round, stage).select(columns).execute();
    // Sorted here: the engines' collations differ.
    return rows.sort((a, b) => (a.member < b.member ? -1 : 1));
  }

  /** Drops the messages of one round and returns how many went. */
  async pruneRound(federation: string, round: number): Promise<number> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('messages')
      .where('federation', '=', federation)
      .where('round', '=', round)
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }

  /** Drops the messages of all rounds before `round` and returns how many went. */
  async pruneBefore(federation: string, round: number): Promise<number> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('messages')
      .where('federation', '=', federation)
      .where('round', '<', round)
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }

  #one({ federation, round, stage, member }: MessageKey) {
    return this.#ofStage(federation, round, stage).where('member', '=', member);
  }

  #ofStage(federation: string, round: number, stage: string) {
    return this.#db.selectFrom('messages').where('federation', '=', federation).where('round', '=', round).where('stage', '=', stage);
  }
}
