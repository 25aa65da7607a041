/** The work of `cutlayer gateway tenant …`. */
import { join } from 'node:path';
import { CutlayerError } from '../../../errors.js';
import { stdout } from '../../../files/output.js';
import { boundEntry, listSchema, type TenantAnswer, tenantAnswer, tenantSchema } from '../../../gateway/admin/tenant-answer.js';
import { ownPolicyNames } from '../../../gateway/protection/bounds.js';
import type { OwnPolicyChange } from '../../../gateway/protection/own-policy.js';
import { policyAfter, requireSound } from '../../../gateway/protection/policies.js';
import { openGatewayDatabase } from '../../../gateway/tables/database.js';
import { type LimitChange, limitNames, storedLimits } from '../../../gateway/tenants/limits.js';
import { type BoundChange, type Tenant, TenantStore } from '../../../gateway/tenants/tenant-store.js';
import { type AdminConnection, openAdminConnection } from '../admin-connection.js';
import { type AuditPlace, auditOrder } from '../audit-order.js';
import type { BoundFlags, LimitFlags, TenantFlags } from './tenant-options.js';
import { lineOf, protectionLines } from './tenant-text.js';

/** Tenants, of a running gateway or of its database. */
interface TenantAdmin {
  create(name: string, limits: LimitChange): Promise<TenantAnswer>;
  list(deleted: boolean): Promise<readonly TenantAnswer[]>;
  act(action: Action, name: string): Promise<TenantAnswer>;
  bound(name: string, change: BoundChange): Promise<TenantAnswer>;
}

type Action = 'show' | 'suspend' | 'resume' | 'delete';

/** `gateway tenant create`. @throws CutlayerError */
export async function create(name: string, flags: TenantFlags & LimitFlags): Promise<void> {
  await withTenants(flags, async (admin) => print([await admin.create(name, limitsOf(flags))], flags));
}

/** `gateway tenant list`. @throws CutlayerError */
export async function list(flags: TenantFlags & { readonly deleted: boolean }): Promise<void> {
  await withTenants(flags, async (admin) => print(await admin.list(flags.deleted), flags));
}

/** `gateway tenant suspend | resume | delete`. @throws CutlayerError */
export async function act(action: Action, name: string, flags: TenantFlags): Promise<void> {
  await withTenants(flags, async (admin) => print([await admin.act(action, name)], flags));
}

/** `gateway tenant show`. @throws CutlayerError */
export async function show(name: string, flags: TenantFlags): Promise<void> {
  await withTenants(flags, async (admin) => print([await admin.act('show', name)], flags, protectionLines));
}

/** `gateway tenant limits`. @throws CutlayerError */
export async function changeLimits(name: string, flags: TenantFlags & LimitFlags, clear: readonly string[]): Promise<void> {
  const change: LimitChange = { ...Object.fromEntries(clear.map((limit) => [limit, null])), ...limitsOf(flags) };
  if (Object.keys(change).length === 0) {
    throw new CutlayerError(
      'INVALID_OPTION',
      'limits: expected a limit to set, or --clear; cutlayer gateway tenant show says those that are set',
    );
  }
  await withTenants(flags, async (admin) => print([await admin.bound(name, { limits: change })], flags));
}

/**
 * `gateway tenant protection`; without a change it shows what there is.
 * @param clear names of bounds, or `all`
 * @throws CutlayerError
 */
export async function changeProtection(name: string, flags: TenantFlags & BoundFlags, clear: readonly string[]): Promise<void> {
  const given = ownPolicyNames.flatMap((bound) => (flags[bound] === undefined ? [] : [[bound, flags[bound]]]));
  const all = clear.includes('all');
  if (all && (clear.length > 1 || given.length > 0))
    throw new CutlayerError('INVALID_OPTION', '--clear all: expected no other bound beside it; set bounds in a second command');
  const cleared = clear.map((bound) => [bound, null]);
  const change: OwnPolicyChange | null = all ? null : Object.fromEntries([...cleared, ...given]);
  if (change !== null && Object.keys(change).length === 0) return show(name, flags);
  await withTenants(flags, async (admin) => print([await admin.bound(name, { protection: change })], flags, protectionLines));
}

function limitsOf(flags: LimitFlags): LimitChange {
  const { sessions: decodeSessions, ...others } = flags;
  const given: LimitChange = { ...others, decodeSessions };
  return Object.fromEntries(limitNames.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])));
}

async function withTenants(flags: TenantFlags, run: (admin: TenantAdmin) => Promise<void>): Promise<void> {
  const { stateDir, audit, database: path } = flags;
  const connection = await openAdminConnection(flags);
  if (connection !== undefined) return run(overRest(connection));
  const database = await openGatewayDatabase(path ?? join(stateDir, 'gateway.db'));
  try {
    await run(overDatabase(new TenantStore(database, Date.now), { stateDir, audit }));
  } finally {
    await database.close();
  }
}

function overRest(connection: AdminConnection): TenantAdmin {
  const tenants = '/v1/admin/tenants';
  const at = (name: string): `/${string}` => `${tenants}/${encodeURIComponent(name)}`;
  const one = async (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: `/${string}`, body?: unknown): Promise<TenantAnswer> =>
    tenantSchema.parse(await connection.request(method, path, body));
  return {
    create: (name, limits) => one('POST', tenants, { name, limits }),
    async list(deleted) {
      const all: TenantAnswer[] = [];
      for (let after = ''; ; ) {
        const query = `limit=1000${after === '' ? '' : `&after=${encodeURIComponent(after)}`}${deleted ? '&status=deleted' : ''}`;
        const { tenants: page, next } = listSchema.parse(await connection.request('GET', `${tenants}?${query}`));
        all.push(...page);
        if (next === null) return all;
        after = next;
      }
    },
    act: (action, name) => {
      if (action === 'show') return one('GET', at(name));
      return action === 'delete' ? one('DELETE', at(name)) : one('POST', `${at(name)}/${action}`);
    },
    bound: (name, change) => one('PATCH', at(name), change),
  };
}

/** No gateway runs, so what it and its file would give all tenants is not known. */
function overDatabase(store: TenantStore, place: AuditPlace): TenantAdmin {
  const record = (action: string, tenant: string) => auditOrder(place, 'admin', { action: `tenant ${action}`, tenant });
  const shown = (tenant: Tenant): TenantAnswer => tenantAnswer(tenant, { limits: tenant.limits });
  return {
    async create(name, limits) {
      await record('create', name);
      return shown(await store.create(name, storedLimits(limits, name)));
    },
    list: async (deleted) => (await store.list()).filter(({ status }) => (status === 'deleted') === deleted).map(shown),
    async act(action, name) {
      if (action !== 'show') await record(action, name);
      return shown(await store[action](name));
    },
    async bound(name, change) {
      await auditOrder(place, 'admin', { ...boundEntry(change), tenant: name });
      return shown(await store.bound(name, change, (protection) => requireSound(policyAfter({}, [protection ?? {}]))));
    },
  };
}

function print(
  tenants: readonly TenantAnswer[],
  { format }: TenantFlags,
  more: (tenant: TenantAnswer) => readonly string[] = () => [],
): void {
  if (format === 'text' && tenants.length === 0) stdout.line('no tenant');
  for (const tenant of tenants) {
    if (format === 'json') stdout.json(tenant);
    else for (const line of [lineOf(tenant), ...more(tenant)]) stdout.line(line);
  }
}
