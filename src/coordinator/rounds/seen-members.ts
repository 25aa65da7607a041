/** When each member of a federation was heard last, and what of it is not written yet. */

/** Bounded by the roster: its owner records members only. */
export class SeenMembers {
  readonly #at: Map<string, number>;
  readonly #unwritten = new Map<string, number>();

  /** @param stored Milliseconds since 1970, by member. */
  constructor(stored: ReadonlyMap<string, number>) {
    this.#at = new Map(stored);
  }

  saw(member: string, at: number): void {
    this.#at.set(member, at);
    this.#unwritten.set(member, at);
  }

  /** Milliseconds since 1970; null: never. */
  at(member: string): number | null {
    return this.#at.get(member) ?? null;
  }

  /** A copy of what is to be written. */
  unwritten(): ReadonlyMap<string, number> {
    return new Map(this.#unwritten);
  }

  written(batch: ReadonlyMap<string, number>): void {
    for (const [member, at] of batch) if (this.#unwritten.get(member) === at) this.#unwritten.delete(member);
  }
}
