/**
 * The policy of each tenant, from the places that name bounds. Of one bound the last place that
 * names it counts. First is what holds without a file, then the embedding's range, then the file's
 * `default`, then its section of the tenant, then the tenant's row.
 */
import { CutlayerError } from '../../errors.js';
import { type OwnPolicy, type OwnPolicyName, ownPolicyNames } from './bounds.js';
import type { Policy } from './policy.js';

/** Where a bound comes from, the weakest place first. */
export const policyPlaces = ['standard', 'embedding', 'fileDefault', 'fileTenant', 'tenant'] as const;

/** One of {@link policyPlaces}. */
export type PolicyPlace = (typeof policyPlaces)[number];

/** What a file of policies names. */
export interface FilePolicies {
  readonly standard: OwnPolicy;
  /** By tenant. */
  readonly tenants: ReadonlyMap<string, OwnPolicy>;
}

/** Tells the policy of a tenant, as it is now. */
export interface PolicySource {
  of(tenant: string): Policy;
}

/** Tells what the row of a tenant names; null: nothing. */
export interface OwnPolicySource {
  protectionOf(tenant: string): OwnPolicy | null;
}

/** A bound, null for none, and the place that has named it. */
export interface PlacedBound {
  readonly bound: number | null;
  readonly from: PolicyPlace;
}

/** A policy with its places. */
export type PlacedPolicy = { readonly [N in OwnPolicyName]: PlacedBound };

/** The parts of a gateway's policies. */
export interface PolicyParts {
  /** What holds where no place names a bound. */
  readonly standard: Policy;
  /** What the model's embedding names. */
  readonly embedding: OwnPolicy;
  readonly file: FilePolicies;
  readonly rows: OwnPolicySource;
}

/** No file. */
export const noFile: FilePolicies = { standard: {}, tenants: new Map() };

/** The policies of a gateway. */
export class Policies implements PolicySource {
  readonly #parts: PolicyParts;

  constructor(parts: PolicyParts) {
    this.#parts = parts;
  }

  of(tenant: string): Policy {
    return policyAfter(this.#parts.standard, this.#namedFor(tenant, this.#parts.rows.protectionOf(tenant)));
  }

  /** The bounds of a tenant, and where each comes from. */
  placed(tenant: string): PlacedPolicy {
    const named = this.#namedFor(tenant, this.#parts.rows.protectionOf(tenant));
    const policy = policyAfter(this.#parts.standard, named);
    const places = ownPolicyNames.map((name) => {
      const from = policyPlaces[named.findLastIndex((place) => place[name] !== undefined) + 1]!;
      return [name, { bound: policy[name] ?? null, from }];
    });
    return Object.fromEntries(places) as PlacedPolicy; // one of each name
  }

  /** Checks a row together with the file. @throws CutlayerError INVALID_ARGUMENT */
  requireSound(tenant: string, row: OwnPolicy | null): void {
    requireSound(policyAfter(this.#parts.standard, this.#namedFor(tenant, row)));
  }

  /** Those of {@link policyPlaces} after the first. */
  #namedFor(tenant: string, row: OwnPolicy | null): readonly OwnPolicy[] {
    const { embedding, file } = this.#parts;
    return [embedding, file.standard, file.tenants.get(tenant) ?? {}, row ?? {}];
  }
}

/** A policy, with what places name in its stead, the last place before the others. */
export function policyAfter<P extends Partial<Policy>>(standard: P, places: readonly OwnPolicy[]): P & Partial<Policy> {
  const named = Object.entries(Object.assign({}, ...places) as OwnPolicy);
  return { ...standard, ...Object.fromEntries(named.map(([name, bound]) => [name, bound === 'off' ? undefined : bound])) };
}

/** Why no row could be sent under a policy; undefined: it can. */
export const unsound = ({ minRowNorm, maxRowNorm }: Partial<Policy>): string | undefined =>
  minRowNorm !== undefined && maxRowNorm !== undefined && minRowNorm > maxRowNorm
    ? `up to max-row-norm ${maxRowNorm}, got ${minRowNorm}`
    : undefined;

/** Checks a tenant's policy. @throws CutlayerError INVALID_ARGUMENT naming the field */
export function requireSound(policy: Partial<Policy>): void {
  const wrong = unsound(policy);
  if (wrong === undefined) return;
  const field = 'protection.minRowNorm';
  throw new CutlayerError('INVALID_ARGUMENT', `${field}: expected a number ${wrong}`, { details: { field } });
}
