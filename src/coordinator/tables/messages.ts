/** Members' messages, one for each stage: a repeat is accepted, a different one is refused. */
import { createHash } from 'node:crypto';
import { CutlayerError } from '../../errors.js';
import { Repository } from './repository.js';

/** The key of a message. */
export interface MessageKey {
  readonly federation: string;
  readonly round: number;
  readonly stage: string;
  readonly member: string;
}

/** A received message. */
export interface ReceivedMessage extends MessageKey {
  readonly bytes: Uint8Array;
  readonly at: number;
  /** False: only digest and length are kept, for bytes that are in a sum already. */
  readonly keepBytes?: boolean;
}

/** A message. */
export interface MessageRow {
  readonly member: string;
  /** Number of bytes. */
  readonly length: number;
  /** Null when only the digest was kept. */
  readonly bytes: Uint8Array | null;
  readonly at: number;
}

const columns = ['member', 'length', 'bytes', 'at'] as const;

/** Within one transaction. */
export class Messages extends Repository {
  /**
   * Whether the message is stored.
   * @throws CutlayerError SUBMISSION_CONFLICT when a different one is
   */
  async holds(message: ReceivedMessage): Promise<boolean> {
    const { round, stage, member, bytes } = message;
    const before = await this.#one(message).select('digest').executeTakeFirst();
    if (before === undefined) return false;
    if (before.digest === sha256(bytes)) return true;
    throw new CutlayerError(
      'SUBMISSION_CONFLICT',
      `round ${round}, ${stage}: expected the message that ${member} has sent before, got another one`,
    );
  }

  /**
   * Stores a message, unless it is stored already.
   * @throws CutlayerError SUBMISSION_CONFLICT, see {@link holds}
   */
  async put(message: ReceivedMessage): Promise<'stored' | 'repeated'> {
    if (await this.holds(message)) return 'repeated';
    const { keepBytes = true, ...row } = message;
    const { bytes } = row;
    await this.db
      .insertInto('messages')
      .values({ ...row, digest: sha256(bytes), length: bytes.length, bytes: keepBytes ? bytes : null })
      .execute();
    return 'stored';
  }

  /** Undefined when there is none. */
  async read(key: MessageKey): Promise<MessageRow | undefined> {
    return this.#one(key).select(columns).executeTakeFirst();
  }

  /** All messages of a stage, by member. */
  async list(federation: string, round: number, stage: string): Promise<MessageRow[]> {
    const rows = await this.#ofStage(federation, round, stage).select(columns).execute();
    // Sorted here: the engines' collations differ.
    return rows.sort((a, b) => (a.member < b.member ? -1 : 1));
  }

  #one({ federation, round, stage, member }: MessageKey) {
    return this.#ofStage(federation, round, stage).where('member', '=', member);
  }

  #ofStage(federation: string, round: number, stage: string) {
    return this.db.selectFrom('messages').where('federation', '=', federation).where('round', '=', round).where('stage', '=', stage);
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
