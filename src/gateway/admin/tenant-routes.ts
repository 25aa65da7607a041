/** The routes of tenants. A change is audited before it is made. */
import { z } from 'zod';
import type { AuditFields } from '../../server/audit/event.js';
import type { Principal } from '../../server/auth/scopes.js';
import type { Policies } from '../protection/policies.js';
import { limitsSchema } from '../tenants/limits.js';
import type { Tenants } from '../tenants/open-tenants.js';
import type { Tenant } from '../tenants/tenant-store.js';
import { type ApiRoute, apiRoute } from './route.js';
import { boundBodySchema, boundEntry, listSchema, type TenantAnswer, tenantAnswer, tenantName, tenantSchema } from './tenant-answer.js';

const MOST_LISTED = 1000;
const ofTenant = z.strictObject({ name: tenantName });

/** Records a change; without its entry there is none. @throws CutlayerError AUDIT_UNAVAILABLE */
export type RecordChange = (fields: AuditFields) => Promise<void>;

/** The routes over a gateway's tenants. */
export function tenantRoutes(
  { directory, rates }: Pick<Tenants, 'directory' | 'rates'>,
  policies: Pick<Policies, 'placed' | 'requireSound'>,
  record: RecordChange,
): readonly ApiRoute[] {
  const { store } = directory;
  const known = async (tenants: readonly Tenant[]) => {
    const quotas = await rates.quotasOf(tenants.map(({ name }) => name));
    return tenants.map((tenant) => ({ tenant, at: { limits: directory.of(tenant.name), quotas: quotas.get(tenant.name) ?? [] } }));
  };
  const listed = async (tenants: readonly Tenant[]): Promise<TenantAnswer[]> =>
    (await known(tenants)).map(({ tenant, at }) => tenantAnswer(tenant, at));
  const shown = async (tenant: Tenant): Promise<TenantAnswer> => {
    const { at } = (await known([tenant]))[0]!; // one each
    return tenantAnswer(tenant, { ...at, protection: policies.placed(tenant.name) });
  };
  const recorded = async (entry: AuditFields, tenant: string, by: Principal, change: () => Promise<Tenant>): Promise<TenantAnswer> => {
    await record({ ...entry, tenant, by: by.tenant });
    return shown(await directory.changed(await change()));
  };
  const changing = (action: string, tenant: string, by: Principal, change: () => Promise<Tenant>): Promise<TenantAnswer> =>
    recorded({ action: `tenant ${action}` }, tenant, by, change);
  const admin = { scopes: ['admin'], status: 200 } as const;
  const one = { ...admin, params: ofTenant, answer: tenantSchema, errors: ['NOT_FOUND', 'AUDIT_UNAVAILABLE'] } as const;
  return [
    apiRoute({
      ...admin,
      ...{ method: 'get', path: '/v1/admin/tenants', operation: 'listTenants', summary: 'Lists tenants by name, page by page' },
      query: z.strictObject({
        limit: z.coerce.number().int().min(1).max(MOST_LISTED).default(100).describe('tenants of a page'),
        after: tenantName.optional().describe('names after this one'),
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
        return { tenants: await listed(page), next: wanted.length > most ? page.at(-1)!.name : null };
      },
    }),
    apiRoute({
      ...admin,
      ...{ method: 'post', path: '/v1/admin/tenants', operation: 'createTenant', summary: 'Makes a tenant' },
      status: 201,
      body: z.strictObject({ name: tenantName, limits: limitsSchema.optional() }),
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
      ...{
        method: 'patch',
        path: '/v1/admin/tenants/{name}',
        operation: 'changeTenant',
        summary: 'Changes limits and protection of a tenant',
      },
      body: boundBodySchema,
      run: ({ params, body, principal }) =>
        recorded(boundEntry(body), params.name, principal, () =>
          store.bound(params.name, body, (protection) => policies.requireSound(params.name, protection)),
        ),
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

const defined = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    readonly [K in keyof T]: Exclude<T[K], undefined>;
  };
