/** Whether a token's tenant is served, as a pure function of the tenant. */
import { CutlayerError } from '../../errors.js';
import type { Principal } from '../../server/auth/scopes.js';
import type { Tenant } from './tenant-store.js';

/** What a refusal looks at. */
export type AdmittedState = Pick<Tenant, 'status' | 'deletedAt'>;

/**
 * Why calls of a tenant end, by its status and by the time of a deletion; undefined: it is served.
 * @param issuedAt of the token, in milliseconds since 1970; whole seconds, as tokens say it
 */
export function refusalOf(
  { status, deletedAt }: AdmittedState,
  { tenant, issuedAt = 0 }: Pick<Principal, 'tenant' | 'issuedAt'>,
): CutlayerError | undefined {
  // A token of the second of the deletion may be older than it.
  if (deletedAt !== null && Math.floor(issuedAt / 1000) <= Math.floor(deletedAt / 1000)) return deleted(tenant);
  if (status === 'suspended') return suspended(tenant);
  return undefined;
}

/** @throws nothing: the caller throws it */
export const suspended = (tenant: string): CutlayerError =>
  new CutlayerError('TENANT_SUSPENDED', `tenant ${tenant}: it is suspended; ask the vendor`);

export const deleted = (tenant: string): CutlayerError =>
  new CutlayerError('TENANT_DELETED', `tenant ${tenant}: it was deleted after this token was issued; ask the vendor for a new one`);

export const unknown = (tenant: string): CutlayerError =>
  new CutlayerError('TENANT_UNKNOWN', `tenant ${tenant}: this gateway serves listed tenants only, and it is none; ask the vendor`);
