/** A tenant as the administrator's API shows it, and a change of what bounds it. */
import { z } from 'zod';
import type { AuditFields } from '../../server/audit/event.js';
import { TENANT_PATTERN } from '../../server/auth/scopes.js';
import { type OwnPolicyName, ownPolicyNames } from '../protection/bounds.js';
import { ownPolicyChangeSchema, ownPolicySchema } from '../protection/own-policy.js';
import { type PlacedPolicy, policyPlaces } from '../protection/policies.js';
import { type LimitName, limitNames, limitsSchema, limitTable, type TenantLimits } from '../tenants/limits.js';
import type { Quota } from '../tenants/rate-window.js';
import type { BoundChange, Tenant } from '../tenants/tenant-store.js';

/** The name of a tenant. */
export const tenantName = z
  .string()
  .regex(TENANT_PATTERN, 'expected 1 to 64 of [A-Za-z0-9._-], a letter or digit first')
  .describe('name of the tenant');
const limit = z.int().min(1).max(Number.MAX_SAFE_INTEGER).nullable().optional();

/** A change of limits: null takes one away. @see RFC 7396 */
const limitChange = z.strictObject(
  Object.fromEntries(limitNames.map((one) => [one, limit.describe(limitTable[one].text)])) as Record<LimitName, typeof limit>,
);

/** A body that changes what bounds a tenant. */
export const boundBodySchema = z
  .strictObject({
    limits: limitChange.optional(),
    protection: ownPolicyChangeSchema.nullable().optional().describe('null takes all of its own bounds away'),
  })
  .refine(({ limits, protection }) => limits !== undefined || protection !== undefined, 'expected limits or protection');

/** A bound of an effective policy. */
const placedBoundSchema = z.strictObject({
  bound: z.number().nullable().describe('null: no bound'),
  from: z
    .enum(policyPlaces)
    .describe("what names it: nothing (standard), the embedding's range, the file's default, the file's section of the tenant, the tenant"),
});
const placedSchema = z.strictObject(
  Object.fromEntries(ownPolicyNames.map((one) => [one, placedBoundSchema])) as Record<OwnPolicyName, typeof placedBoundSchema>,
);

const time = z.iso.datetime();

/** A tenant as JSON. */
export const tenantSchema = z.strictObject({
  name: tenantName,
  status: z.enum(['active', 'suspended', 'deleted']),
  limits: limitsSchema.describe('its own limits'),
  effectiveLimits: limitsSchema.describe('its own limits, and those that the gateway has for every tenant'),
  protection: ownPolicySchema.nullable().describe('its own bounds of the protection; null: none'),
  effectiveProtection: placedSchema
    .nullable()
    .describe("its bounds, and where each comes from; null in a list, of a deleted tenant, and where the gateway's file is not known"),
  createdAt: time,
  updatedAt: time,
  deletedAt: time.nullable(),
  rates: z
    .array(
      z.strictObject({
        name: z.enum(['requestsPerSecond', 'tokensPerMinute', 'tokensPerDay']),
        max: z.int(),
        left: z.int(),
        resetMs: z.number(),
      }),
    )
    .describe('what is left of its rates: of a second and a minute at this gateway, of a day at all gateways of the database'),
});

/** A tenant as JSON. */
export type TenantAnswer = z.output<typeof tenantSchema>;

/** A page of tenants as JSON. */
export const listSchema = z.strictObject({
  tenants: z.array(tenantSchema),
  next: tenantName.nullable().describe('the parameter after of the next page'),
});

/** What a gateway knows of a tenant beside its row. */
export interface TenantAtGateway {
  readonly limits: TenantLimits;
  readonly quotas?: readonly Quota[];
  readonly protection?: PlacedPolicy;
}

/** A tenant as the API shows it. */
export function tenantAnswer(tenant: Tenant, { limits, quotas = [], protection }: TenantAtGateway): TenantAnswer {
  const { createdAt, updatedAt, deletedAt, status } = tenant;
  return {
    ...tenant,
    effectiveLimits: status === 'deleted' ? {} : limits,
    effectiveProtection: (status === 'deleted' ? undefined : protection) ?? null,
    createdAt: iso(createdAt),
    updatedAt: iso(updatedAt),
    deletedAt: deletedAt === null ? null : iso(deletedAt),
    rates: quotas.map(({ name: rate, max, left, resetMs }) => ({ name: rate, max, left, resetMs })),
  };
}

/** The entry of a change of bounds; of the protection it has the bounds too. */
export function boundEntry({ limits, protection }: BoundChange): AuditFields & { readonly action: string } {
  const changed = [...(limits === undefined ? [] : ['limits']), ...(protection === undefined ? [] : ['protection'])];
  const named = Object.entries(protection ?? {}).filter(([, bound]) => bound !== undefined);
  return {
    action: `tenant ${changed.join(' and ')}`,
    ...Object.fromEntries(named.map(([one, bound]) => [one, bound ?? 'cleared'])),
    ...(protection === null && { protection: 'cleared' }),
  };
}

const iso = (at: number): string => new Date(at).toISOString();
