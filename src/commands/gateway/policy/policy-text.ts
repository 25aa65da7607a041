/** Bounds of the protection in lines of text, with the places that name them. */
import { type OwnPolicyName, ownPolicyNames, policyText } from '../../../gateway/protection/bounds.js';
import type { PlacedPolicy, PolicyPlace } from '../../../gateway/protection/policies.js';
import { kebab } from '../../../options/option.js';

const places: Readonly<Record<PolicyPlace, (tenant: string) => string>> = {
  standard: () => 'no place names it',
  embedding: () => "the embedding's range",
  fileDefault: () => 'the file: default',
  fileTenant: (tenant) => `the file: tenants.${tenant}`,
  tenant: (tenant) => `of ${tenant} itself`,
};

/** `  rows-per-day 5000 (the file: default)`. */
export const boundLine = (name: OwnPolicyName, bound: string | number | null, from: PolicyPlace, tenant: string): string =>
  `  ${kebab(name)} ${bound ?? 'off'} (${places[from](tenant)})`;

/** A bound of a file that is looked at without a model, which may give it. */
export interface InspectedBound {
  /** Null: no bound. */
  readonly bound: number | null;
  /** The bound of the widest model; `bound` is that of the narrowest then. */
  readonly upTo?: number;
  readonly from: PolicyPlace;
}

/** A policy of a file. */
export type InspectedPolicy = { readonly [N in OwnPolicyName]: InspectedBound };

/** @param least with the narrowest model @param most with the widest */
export function inspectedPolicy(least: PlacedPolicy, most: PlacedPolicy): InspectedPolicy {
  const bounds = ownPolicyNames.map((name) => {
    const [narrow, wide] = [least[name], most[name]];
    return [name, wide.bound === null || narrow.bound === wide.bound ? narrow : { ...narrow, upTo: wide.bound }];
  });
  return Object.fromEntries(bounds) as InspectedPolicy; // one of each name
}

/** The bounds of a policy, each with its place and what it counts. */
export const policyLines = (policy: InspectedPolicy, tenant: string): readonly string[] =>
  ownPolicyNames.map((name) => {
    const { bound, upTo, from } = policy[name];
    const shown = upTo === undefined ? bound : `${bound} to ${upTo} by the model's width`;
    return `${boundLine(name, shown, from, tenant)}: ${policyText(name)}`;
  });
