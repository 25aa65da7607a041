/**
 * Which rows of a decode session have been charged: a pure state.
 *
 * A row is named by a digest of itself and of all rows before it in the session. A session pays
 * once for each name. So a replay of a lost session pays for no row again, wherever it is cut into
 * messages. Rows that differ, or that follow other rows, are new work.
 *
 * A session's charges are a log: entry 0, 1, 2, … Each has the digests of the rows that it is for.
 * The next entry's number is its key. Of two gateways that hold the same session at once, one
 * writes that number, and the other reads the log again.
 */
import { DIGEST_BYTES } from './charge.js';

/** A session's log, as the ledger has it. */
export interface SessionLog {
  /** The number of the next entry. */
  readonly next: number;
  /** The digests of all entries, one after the other. */
  readonly content: readonly Uint8Array[];
}

/** The names of a session's rows. */
export interface RowNames {
  /** The name of the first `rows` rows, hex. */
  after(rows: number): string;
}

/** Rows that are to be charged. */
export interface DueRows {
  /** The number of the entry that charges them. */
  readonly entry: number;
  readonly decoded: number;
  /** Those that the row cache has served. */
  readonly cached: number;
  /** Their digests. */
  readonly content: Uint8Array;
  /** The rows that are settled once the entry is written. */
  readonly settled: number;
}

/** Names that are kept for each row that the session may have; older ones are forgotten. */
export const NAMES_PER_ROW = 4;
const NAME_LENGTH = 2 * DIGEST_BYTES;
const ENTRY_DIGITS = 12;

/** The number of an entry in its key: texts in the order of the numbers. */
export const entryPart = (entry: number): string => String(entry).padStart(ENTRY_DIGITS, '0');

/** The charges of one session. */
export class SessionUsage {
  /** Rows that the session may have at once. */
  readonly maxRows: number;
  /** Names of charged rows, the oldest first. */
  #charged = new Set<string>();
  #next = 0;
  /** Leading rows that are charged. */
  #settled = 0;

  constructor(maxRows: number, log: SessionLog) {
    this.maxRows = maxRows;
    this.reload(log);
  }

  /** Takes up the log as the ledger has it now. */
  reload({ next, content }: SessionLog): void {
    this.#next = next;
    for (const bytes of content) this.#remember(bytes);
  }

  /** The session goes on after its first `rows` rows: later ones are dropped. */
  goesOnFrom(rows: number): void {
    this.#settled = Math.min(this.#settled, rows);
  }

  /**
   * The rows among the first `rows` that are not charged yet; undefined without any.
   * @param cached whether the row cache has served a row
   */
  due(rows: number, names: RowNames, cached: (row: number) => boolean): DueRows | undefined {
    const fresh: string[] = [];
    let fromCache = 0;
    for (let row = this.#settled; row < rows; row++) {
      const name = names.after(row + 1).slice(0, NAME_LENGTH);
      if (this.#charged.has(name)) continue;
      fresh.push(name);
      if (cached(row)) fromCache++;
    }
    if (fresh.length === 0) {
      this.#settled = Math.max(this.#settled, rows);
      return undefined;
    }
    const content = new Uint8Array(Buffer.from(fresh.join(''), 'hex'));
    return { entry: this.#next, decoded: fresh.length - fromCache, cached: fromCache, content, settled: rows };
  }

  /** An entry is durable. */
  paid({ entry, content, settled }: DueRows): void {
    this.#next = entry + 1;
    this.#remember(content);
    this.#settled = Math.max(this.#settled, settled);
  }

  #remember(content: Uint8Array): void {
    const hex = Buffer.from(content).toString('hex');
    for (let at = 0; at < hex.length; at += NAME_LENGTH) this.#charged.add(hex.slice(at, at + NAME_LENGTH));
    const most = this.maxRows * NAMES_PER_ROW;
    for (const name of this.#charged) {
      if (this.#charged.size <= most) break;
      this.#charged.delete(name);
    }
  }
}
