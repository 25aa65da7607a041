/**
 * Clients over the admin API: `/v1/clients`, with the scope `admin`. A change is audited before it
 * is made.
 */
import type { Request, Response } from 'express';
import express, { type Router } from 'express';
import { CutlayerError } from '../../errors.js';
import type { Audit } from '../../server/audit/event.js';
import { type Principal, requireScope, tenantScopes } from '../../server/auth/scopes.js';
import { type ClientRegistry, newClientSchema } from './client-registry.js';
import type { RevocationList } from './revocation-list.js';

/** The parts of the router. */
export interface ClientsRouterOptions {
  readonly registry: ClientRegistry;
  readonly revocations: RevocationList;
  readonly audit: Pick<Audit, 'record'>;
  /** The caller of a request. @throws CutlayerError TOKEN_* */
  readonly authenticate: (request: Request) => Promise<Principal>;
}

const BODY_BYTES = 32 * 1024;

/** Mounted at `/v1/clients`. */
export function clientsRouter({ registry, revocations, audit, authenticate }: ClientsRouterOptions): Router {
  const router = express.Router();
  router.use(async (request, response, next) => {
    const principal = await authenticate(request);
    requireScope(principal, 'admin');
    response.locals.by = principal.tenant;
    next();
  });
  router.get('/', async (request, response) => {
    const { tenant } = request.query;
    if (tenant !== undefined && typeof tenant !== 'string') throw new CutlayerError('INVALID_ARGUMENT', 'tenant: expected one name');
    response.json({ clients: await registry.list(tenant) });
  });
  router.post('/', express.json({ limit: BODY_BYTES }), async (request, response) => {
    const found = newClientSchema.safeParse(request.body);
    if (!found.success) throw new CutlayerError('INVALID_ARGUMENT', 'client: expected {tenant, scopes, keys}, scopes and keys optional');
    const { tenant, scopes = tenantScopes, keys } = found.data;
    await audit.record('admin', { action: 'client add', tenant, by: by(response) });
    const { client, secret } = await registry.add({ tenant, scopes, keys });
    response.status(201).json({ client, ...(secret !== undefined && { secret }) });
  });
  router.post('/:id/disable', async (request, response) => {
    await audit.record('admin', { action: 'client disable', client: request.params.id, by: by(response) });
    await registry.disable(request.params.id);
    // Its tokens are void from here on at this gateway; others read it within seconds.
    await revocations.refresh();
    response.status(204).end();
  });
  return router;
}

/** Who asks; set before every route. */
const by = ({ locals }: Response): string => String(locals.by);
