/**
 * Calls that were refused, counted by second. A caller can make very many of them, with or without
 * a token; an entry for each would let it fill the disk.
 */

/** What calls that were refused alike have in common. */
export interface Refusal {
  /** Empty when the caller was not verified. */
  readonly tenant: string;
  readonly method: string;
  readonly code: string;
}

/** Refusals of a second that were alike. */
export interface CountedRefusals extends Refusal {
  readonly count: number;
}

/** Kinds that are told apart in one second; the others are counted together. */
export const MAX_KINDS = 64;
/** Refused calls of one verified tenant in a second that have an entry each. */
export const ENTRIES_OF_A_TENANT = 10;

const other: Refusal = { tenant: 'other', method: 'other', code: 'other' };

/** The refusals of one second. */
export class RefusalCounts {
  readonly #kinds = new Map<string, { readonly refusal: Refusal; count: number }>();
  readonly #entries = new Map<string, number>();

  /** Whether nothing was counted. */
  get empty(): boolean {
    return this.#kinds.size === 0 && this.#entries.size === 0;
  }

  /** Whether a refused call has an entry of its own; else it is counted. */
  add(refusal: Refusal): boolean {
    const { tenant, method, code } = refusal;
    const entries = this.#entries.get(tenant) ?? 0;
    if (tenant !== '' && entries < ENTRIES_OF_A_TENANT && (entries > 0 || this.#entries.size < MAX_KINDS)) {
      this.#entries.set(tenant, entries + 1);
      return true;
    }
    const key = `${tenant} ${method} ${code}`;
    if (this.#kinds.has(key) || this.#kinds.size < MAX_KINDS) this.#count(key, refusal);
    else this.#count('', other);
    return false;
  }

  /** Ends the second; gives what was counted. */
  take(): readonly CountedRefusals[] {
    const taken = [...this.#kinds.values()].map(({ refusal, count }) => ({ ...refusal, count }));
    this.#kinds.clear();
    this.#entries.clear();
    return taken;
  }

  #count(key: string, refusal: Refusal): void {
    const kind = this.#kinds.get(key) ?? { refusal, count: 0 };
    kind.count += 1;
    this.#kinds.set(key, kind);
  }
}
