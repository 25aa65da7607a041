/** The routes of tenants. A change is audited before it is made. */
import { z } from 'zod';
import type { Principal } from '../../server/auth/scopes.js';
import { TENANT_PATTERN } from '../../server/auth/scopes.js';
import { type LimitName, limitNames, limitsSchema, limitTable, type TenantLimits } from '../tenants/limits.js';
import type { Tenants } from '../tenants/open-tenants.js';
import type { Quota } from '../tenants/rate-window.js';
import type { Tenant } from '../tenants/tenant-store.js';
import { type ApiRoute, apiRoute } from './route.js';

const MOST_LISTED = 1000;
const name = z.string().regex(TENANT_PATTERN, 'expected 1 to 64 of [A-Za-z0-9._-], a letter or digit first').describe('name of the tenant');
const ofTenant = z.strictObject({ name });
const limit = z.int().min(1).max(Number.MAX_SAFE_INTEGER).nullable().optional();

/** A change of limits: null takes one away. @see RFC 7396 */
const limitChange = z.strictObject(
  Object.fromEntries(limitNames.map((one) => [one, limit.describe(limitTable[one].text)])) as Record<LimitName, typeof limit>,
);

/** A body that changes limits. */
export const limitBodySchema = z.strictObject({ limits: limitChange });

const time = z.iso.datetime();

/** A tenant as JSON. */
export const tenantSchema = z.strictObject({
  name,
  status: z.enum(['active', 'suspended', 'deleted']),
  limits: limitsSchema.describe('its own limits'),
  effectiveLimits: limitsSchema.describe('its own limits, and those that the gateway has for every tenant'),
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
  next: name.nullable().describe('the parameter after of the next page'),
});

/** Records a change; without its entry there is none. @throws CutlayerError AUDIT_UNAVAILABLE */
export type RecordChange = (fields: Readonly<Record<string, string>>) => Promise<void>;

/** A tenant as the API shows it. */
export function tenantAnswer(tenant: Tenant, effective: TenantLimits, quotas: readonly Quota[]): TenantAnswer {
  const { createdAt, updatedAt, deletedAt, status } = tenant;
  return {
    ...tenant,
    effectiveLimits: status === 'deleted' ? {} : effective,
    createdAt: iso(createdAt),
    updatedAt: iso(updatedAt),
    deletedAt: deletedAt === null ? null : iso(deletedAt),
    rates: quotas.map(({ name: rate, max, left, resetMs }) => ({ name: rate, max, left, resetMs })),
  };
}

/** The routes over a gateway's tenants. */
export function tenantRoutes({ directory, rates }: Pick<Tenants, 'directory' | 'rates'>, record: RecordChange): readonly ApiRoute[] {
  const { store } = directory;
  const shownAll = async (tenants: readonly Tenant[]): Promise<TenantAnswer[]> => {
    const quotas = await rates.quotasOf(tenants.map(({ name: one }) => one));
    return tenants.map((tenant) => tenantAnswer(tenant, directory.of(tenant.name), quotas.get(tenant.name) ?? []));
  };
  const shown = async (tenant: Tenant): Promise<TenantAnswer> => (await shownAll([tenant]))[0]!; // one each
  const changing = async (action: string, tenant: string, by: Principal, change: () => Promise<Tenant>): Promise<TenantAnswer> => {
    await record({ action: `tenant ${action}`, tenant, by: by.tenant });
    return shown(await directory.changed(await change()));
  };
  const admin = { scopes: ['admin'], status: 200 } as const;
  const one = { ...admin, params: ofTenant, answer: tenantSchema, errors: ['NOT_FOUND', 'AUDIT_UNAVAILABLE'] } as const;
  return [
    apiRoute({
      ...admin,
      ...{ method: 'get', path: '/v1/admin/tenants', operation: 'listTenants', summary: 'Lists tenants by name, page by page' },
      query: z.strictObject({
        limit: z.coerce.number().int().min(1).max(MOST_LISTED).default(100).describe('tenants of a page'),
        after: name.optional().describe('names after this one'),
        status: z.enum(['active', 'suspended', 'deleted']).optional().describe('default: active and suspended'),
      }),
      answer: listSchema,
      errors: [],
      async run({ query: { limit: most, after = '', status } }) {
        const all = await store.list();
        const wanted = all.filter(
          (tenant) => tenant.name > after && (status === undefined ? tenant.status !== 'deleted' : tenant.status === status),
        );
        const page = wanted.slice(0, most);
        return { tenants: await shownAll(page), next: wanted.length > most ? page.at(-1)!.name : null };
      },
    }),
    apiRoute({
      ...admin,
      ...{ method: 'post', path: '/v1/admin/tenants', operation: 'createTenant', summary: 'Makes a tenant' },
      status: 201,
      body: z.strictObject({ name, limits: limitsSchema.optional() }),
      answer: tenantSchema,
      errors: ['ALREADY_EXISTS', 'LIMIT_EXCEEDED', 'AUDIT_UNAVAILABLE'],
      run: ({ body, principal }) => changing('create', body.name, principal, () => store.create(body.name, defined(body.limits ?? {}))),
    }),
    apiRoute({
      ...one,
      ...{ method: 'get', path: '/v1/admin/tenants/{name}', operation: 'showTenant', summary: 'Shows a tenant' },
      run: async ({ params }) => shown(await store.show(params.name)),
    }),
    apiRoute({
      ...one,
      ...{ method: 'patch', path: '/v1/admin/tenants/{name}', operation: 'changeTenant', summary: 'Changes limits of a tenant' },
      body: limitBodySchema,
      run: ({ params, body, principal }) => changing('limits', params.name, principal, () => store.setLimits(params.name, body.limits)),
    }),
    apiRoute({
      ...one,
      ...{
        method: 'post',
        path: '/v1/admin/tenants/{name}/suspend',
        operation: 'suspendTenant',
        summary: 'Stops a tenant; its data stays',
      },
      run: ({ params, principal }) => changing('suspend', params.name, principal, () => store.suspend(params.name)),
    }),
    apiRoute({
      ...one,
      ...{
        method: 'post',
        path: '/v1/admin/tenants/{name}/resume',
        operation: 'resumeTenant',
        summary: 'Lets a suspended tenant in again',
      },
      run: ({ params, principal }) => changing('resume', params.name, principal, () => store.resume(params.name)),
    }),
    apiRoute({
      ...one,
      ...{ method: 'delete', path: '/v1/admin/tenants/{name}', operation: 'deleteTenant', summary: 'Deletes a tenant and its data' },
      run: ({ params, principal }) => changing('delete', params.name, principal, () => store.delete(params.name)),
    }),
  ];
}

const iso = (at: number): string => new Date(at).toISOString();

const defined = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    readonly [K in keyof T]: Exclude<T[K], undefined>;
  };
