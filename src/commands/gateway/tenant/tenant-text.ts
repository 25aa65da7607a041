/** Tenants in lines of text. */
import type { TenantAnswer } from '../../../gateway/admin/tenant-answer.js';
import { ownPolicyNames } from '../../../gateway/protection/own-policy.js';
import type { PlacedBound } from '../../../gateway/protection/policies.js';
import { limitNames } from '../../../gateway/tenants/limits.js';
import { kebab } from '../../../options/option.js';

/** `acme: active, tokensPerDay 500`. */
export function lineOf({ name, status, limits, rates }: TenantAnswer): string {
  const own = limitNames.flatMap((limit) => (limits[limit] === undefined ? [] : [`${limit} ${limits[limit]}`]));
  const left = rates.map(({ name: rate, left: amount }) => `${amount} left of ${rate}`);
  return [`${name}: ${status}`, ...own, ...left].join(', ');
}

const places: Readonly<Record<PlacedBound['from'], (tenant: string) => string>> = {
  standard: () => 'no place names it',
  embedding: () => "the embedding's range",
  fileDefault: () => 'the file: default',
  fileTenant: (tenant) => `the file: tenants.${tenant}`,
  tenant: (tenant) => `of ${tenant} itself`,
};

/** The bounds of the protection, a line each, with the place that names it. */
export function protectionLines({ name, status, protection, effectiveProtection: effective }: TenantAnswer): readonly string[] {
  if (status === 'deleted') return [];
  return ownPolicyNames.flatMap((policy) => {
    const own = protection?.[policy];
    // Where no gateway runs the row alone is known.
    if (effective === null) return own === undefined ? [] : [`  ${kebab(policy)} ${own} (${places.tenant(name)})`];
    const { bound, from } = effective[policy];
    return [`  ${kebab(policy)} ${bound ?? 'off'} (${places[from](name)})`];
  });
}
