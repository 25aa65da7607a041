/** Amounts by tenant, and the tenant that has most: it is the first to give. */
export class Shares {
  /** Without zeros; in order of each tenant's first amount. */
  readonly #amounts = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  get tenants(): number {
    return this.#amounts.size;
  }

  of(tenant: string): number {
    return this.#amounts.get(tenant) ?? 0;
  }

  /** Adds to a tenant's amount, or takes off it. */
  add(tenant: string, amount: number): void {
    const left = this.of(tenant) + amount;
    this.#total += amount;
    if (left === 0) this.#amounts.delete(tenant);
    else this.#amounts.set(tenant, left);
  }

  /** The tenant with most, among those that `eligible` names; undefined without any. */
  heaviest(eligible: (tenant: string) => boolean = () => true): string | undefined {
    let heaviest: string | undefined;
    for (const [tenant, amount] of this.#amounts) {
      if (eligible(tenant) && (heaviest === undefined || amount > this.of(heaviest))) heaviest = tenant;
    }
    return heaviest;
  }

  /** The tenant with most, when it has at least two more than `tenant`: it can give it one. */
  giverTo(tenant: string): string | undefined {
    const heaviest = this.heaviest();
    return heaviest === undefined || this.of(heaviest) < this.of(tenant) + 2 ? undefined : heaviest;
  }

  /**
   * The total after a tenant's amount becomes `amount`, and all others have given down to it. When
   * this is within a bound, giving stops before that tenant's turn.
   */
  levelledTo(tenant: string, amount: number): number {
    let sum = amount;
    for (const [other, held] of this.#amounts) if (other !== tenant) sum += Math.min(held, amount);
    return sum;
  }
}
