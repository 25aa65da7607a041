/** Tenants in lines of text. */
import type { TenantAnswer } from '../../../gateway/admin/tenant-answer.js';
import { ownPolicyNames } from '../../../gateway/protection/bounds.js';
import { limitNames } from '../../../gateway/tenants/limits.js';
import { boundLine } from '../policy/policy-text.js';

/** `acme: active, tokensPerDay 500`. */
export function lineOf({ name, status, limits, rates }: TenantAnswer): string {
  const own = limitNames.flatMap((limit) => (limits[limit] === undefined ? [] : [`${limit} ${limits[limit]}`]));
  const left = rates.map(({ name: rate, left: amount }) => `${amount} left of ${rate}`);
  return [`${name}: ${status}`, ...own, ...left].join(', ');
}

/** The bounds of the protection, a line each, with the place that names it. */
export function protectionLines({ name, status, protection, effectiveProtection: effective }: TenantAnswer): readonly string[] {
  if (status === 'deleted') return [];
  return ownPolicyNames.flatMap((policy) => {
    const own = protection?.[policy];
    // Where no gateway runs the row alone is known.
    if (effective === null) return own === undefined ? [] : [boundLine(policy, own, 'tenant', name)];
    const { bound, from } = effective[policy];
    return [boundLine(policy, bound, from, name)];
  });
}
