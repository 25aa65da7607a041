/**
 * The ledger of a gateway: it counts each piece of work once, and durably before its answer leaves.
 * Many calls are written in one transaction (group-commit.ts). Several gateways may share one
 * database: the unique key of a charge decides.
 */
import { CutlayerError } from '../../errors.js';
import type { Charge } from './charge.js';
import { GroupCommit } from './group-commit.js';
import { type DueRows, entryPart, NAMES_PER_ROW, type SessionLog, SessionUsage } from './session-usage.js';

/** Where charges are kept. */
export interface LedgerStore {
  /**
   * Writes charges whose keys are new, with their sums, in one transaction.
   * @returns for each charge whether it was new
   */
  write(charges: readonly Charge[]): Promise<readonly boolean[]>;
  /** The newest entries of a decode session, at most `most`. */
  sessionLog(tenant: string, session: string, most: number): Promise<SessionLog>;
  /** Deletes keys of charges before a time, in milliseconds since 1970; the sums stay. */
  forget(before: number): Promise<void>;
}

/** What every charge of a gateway has. */
export interface LedgerOptions {
  readonly store: LedgerStore;
  /** sha256 of the backbone's manifest, hex, and its name. */
  readonly model: string;
  readonly modelName: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A charge without what its ledger knows. */
export type Work = Omit<Charge, 'model' | 'modelName' | 'at'>;

/** A decode session that is charged. */
export interface SessionKey {
  readonly tenant: string;
  readonly id: string;
}

/** Most charges that wait for a write, and most of one write. */
const MAX_WAITING = 4096;
const MAX_GROUP = 256;
/** How long a token's charge waits for those of other sessions: it is computed meanwhile. */
const GATHER_ROWS_MS = 3;
/** How long a key is kept: longer than any client repeats a call. */
export const KEY_LIFE_MS = 24 * 3_600_000;
/** Times that an entry of a session is tried, when other gateways write to the session too. */
const MAX_TRIES = 8;

/** See the module's header. */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #steps: GroupCommit<Charge, boolean>;
  readonly #rows: GroupCommit<Charge, boolean>;

  constructor(options: LedgerOptions) {
    const { store } = options;
    this.#options = options;
    const parts = { what: 'ledger', write: (items: readonly Charge[]) => store.write(items), maxWaiting: MAX_WAITING, maxItems: MAX_GROUP };
    this.#steps = new GroupCommit(parts);
    this.#rows = new GroupCommit({ ...parts, gatherMs: GATHER_ROWS_MS });
  }

  /** Charges that wait for a write. */
  get waiting(): number {
    return this.#steps.waiting + this.#rows.waiting;
  }

  /**
   * Counts work, unless its key was counted before.
   * @returns whether it was counted now
   * @throws CutlayerError UNAVAILABLE, QUEUE_FULL: the caller gets no answer, and may ask again
   */
  charge(work: Work): Promise<boolean> {
    return this.#steps.add(this.#chargeOf(work));
  }

  /** What a session of this id has paid for. @throws CutlayerError UNAVAILABLE */
  async openSession(key: SessionKey, maxRows: number): Promise<SessionUsage> {
    return new SessionUsage(maxRows, await this.#log(key, maxRows));
  }

  /**
   * Counts rows of a session that are not counted yet.
   * @throws CutlayerError UNAVAILABLE, QUEUE_FULL
   */
  chargeRows(key: SessionKey, usage: SessionUsage, { due, adapter, amounts }: RowsDue): Promise<void> {
    return this.#write(key, usage, due, ({ decoded, cached }) => ({ adapter, amounts: { ...amounts, decoded, cached, calls: 1 } }));
  }

  /**
   * Notes that a session has rows that its parent has paid for, before it goes on by itself.
   * @throws CutlayerError UNAVAILABLE, QUEUE_FULL
   */
  inheritRows(key: SessionKey, usage: SessionUsage, due: RowsDue['due']): Promise<void> {
    return this.#write(key, usage, due, () => ({ adapter: 'none', amounts: {} }));
  }

  /** Forgets the keys of old charges. @throws CutlayerError of the store */
  forgetOld(): Promise<void> {
    const { store, now } = this.#options;
    return store.forget(now() - KEY_LIFE_MS);
  }

  /** Takes no more charges; resolves when those that wait are written. */
  async close(): Promise<void> {
    await Promise.all([this.#steps.close(), this.#rows.close()]);
  }

  #chargeOf(work: Work): Charge {
    const { model, modelName, now } = this.#options;
    return { ...work, model, modelName, at: now() };
  }

  async #write(
    key: SessionKey,
    usage: SessionUsage,
    due: RowsDue['due'],
    workOf: (rows: DueRows) => Pick<Work, 'adapter' | 'amounts'>,
  ): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const rows = due();
      if (rows === undefined) return;
      const { entry, content } = rows;
      if (await this.#rows.add(this.#chargeOf({ ...key, ...workOf(rows), kind: 'decode', part: entryPart(entry), content }))) {
        usage.paid(rows);
        return;
      }
      // Another gateway has this session too, or an earlier write came through after all.
      usage.reload(await this.#log(key, usage.maxRows));
    }
    throw new CutlayerError('UNAVAILABLE', 'ledger: another gateway writes to this session too; try again in a moment');
  }

  async #log({ tenant, id }: SessionKey, maxRows: number): Promise<SessionLog> {
    try {
      return await this.#options.store.sessionLog(tenant, id, maxRows * NAMES_PER_ROW);
    } catch (cause) {
      throw new CutlayerError('UNAVAILABLE', 'ledger: it could not be read; try again in a moment', { cause });
    }
  }
}

/** Rows of a session to charge. */
export interface RowsDue extends Pick<Work, 'adapter' | 'amounts'> {
  /** Asked again when the session's log has changed. */
  readonly due: () => ReturnType<SessionUsage['due']>;
}
