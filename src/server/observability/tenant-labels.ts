/** Labels of tenants in metrics: a bounded number, since each makes series that stay. */

/** Tenants with series of their own. */
export const MAX_TENANT_LABELS = 100;
/** What all others share: no token has such a name. */
const OTHER = '(other)';

/** Gives labels. */
export class TenantLabels {
  readonly #known = new Set<string>();

  /** The tenant itself among the first that called; empty for a caller that is not verified. */
  of(tenant: string): string {
    if (tenant === '' || this.#known.has(tenant)) return tenant;
    if (this.#known.size >= MAX_TENANT_LABELS) return OTHER;
    this.#known.add(tenant);
    return tenant;
  }
}
