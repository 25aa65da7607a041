/** Clients over the admin API: `/v1/clients`, with the scope `admin`. */

import type { Request } from 'express';
import express, { type Router } from 'express';
import { CutlayerError } from '../../errors.js';
import { type Principal, requireScope, tenantScopes } from '../../server/auth/scopes.js';
import { type ClientRegistry, newClientSchema } from './client-registry.js';
import type { RevocationList } from './revocation-list.js';

/** The parts of the router. */
export interface ClientsRouterOptions {
  readonly registry: ClientRegistry;
  readonly revocations: RevocationList;
  /** The caller of a request. @throws CutlayerError TOKEN_* */
  readonly authenticate: (request: Request) => Promise<Principal>;
}

const BODY_BYTES = 32 * 1024;

/** Mounted at `/v1/clients`. */
export function clientsRouter({ registry, revocations, authenticate }: ClientsRouterOptions): Router {
  const router = express.Router();
  router.use(async (request, _response, next) => {
    requireScope(await authenticate(request), 'admin');
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
    const { client, secret } = await registry.add({ tenant, scopes, keys });
    response.status(201).json({ client, ...(secret !== undefined && { secret }) });
  });
  router.post('/:id/disable', async (request, response) => {
    await registry.disable(request.params.id);
    // Its tokens are void from here on at this gateway; others read it within seconds.
    await revocations.refresh();
    response.status(204).end();
  });
  return router;
}
