/**
 * What this process holds of tenants, in one list. A deleted tenant is forgotten in all of it, and
 * the calls of a suspended one end. The rows of a database are in `tables/owned-rows.ts`.
 */
import type { CutlayerError } from '../../errors.js';

/** Something that is held of tenants. */
export interface Holding {
  /** For the log. */
  readonly what: string;
  /** Ends what a tenant does now, at a suspension and a deletion. */
  readonly end?: (tenant: string, reason: CutlayerError) => void;
  /** Takes changed limits of a tenant in. */
  readonly change?: (tenant: string) => Promise<void>;
  /** Frees what is held of a tenant, at its deletion. */
  readonly forget?: (tenant: string) => void | Promise<void>;
}

/** The list. */
export class Holdings {
  readonly #all: Holding[] = [];

  add(...holdings: readonly Holding[]): void {
    this.#all.push(...holdings);
  }

  /** Ends what a tenant does now. */
  end(tenant: string, reason: CutlayerError): void {
    for (const { end } of this.#all) end?.(tenant, reason);
  }

  /** Takes changed limits of a tenant in. @throws the first failure, after all */
  change(tenant: string): Promise<void> {
    return allOf(this.#all.map(({ change }) => change?.(tenant)));
  }

  /** Ends what a tenant does, and frees what is held of it. @throws the first failure, after all */
  async forget(tenant: string, reason: CutlayerError): Promise<void> {
    this.end(tenant, reason);
    await allOf(this.#all.map(async ({ forget }) => forget?.(tenant)));
  }
}

/** Waits for all. @throws the first failure */
async function allOf(works: readonly (Promise<void> | undefined)[]): Promise<void> {
  const results = await Promise.allSettled(works);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
