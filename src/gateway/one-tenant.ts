/** Holds a gateway on an unpatched Node to one tenant, unless its operator accepts the risk. */
import { CutlayerError } from '../errors.js';
import type { Verifier } from '../server/auth/verifier.js';
import { type NodeFault, nodeFault, nodeFaultWarning } from '../server/node-version.js';
import type { Logger } from '../server/observability/log.js';

/** What decides it. */
export interface OneTenantOptions {
  /** The operator has accepted the risk. */
  readonly accepted: boolean;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  /** Default: of this process. */
  readonly fault?: NodeFault;
}

/**
 * A verifier that warns at the start, and refuses every tenant but the first that calls. The fault
 * is among connections of one process, so a new process may have another tenant.
 * @throws CutlayerError UNPATCHED_NODE for another tenant
 */
export function oneTenantOnUnpatched(verify: Verifier, { accepted, log, fault = nodeFault() }: OneTenantOptions): Verifier {
  if (!fault.unpatched) return verify;
  log.warn({ node: fault.version, accepted }, nodeFaultWarning(fault));
  if (accepted) return verify;
  let only: string | undefined;
  let said = false;
  return async (token, sender) => {
    const principal = await verify(token, sender);
    only ??= principal.tenant;
    if (principal.tenant === only) return principal;
    if (!said)
      log.error(
        { node: fault.version, tenant: principal.tenant },
        'a second tenant is refused: update Node, or start with --accept-unpatched-node',
      );
    said = true;
    throw new CutlayerError(
      'UNPATCHED_NODE',
      'gateway: its Node has a published HTTP/2 fault, so it serves one tenant; its operator updates Node, or starts it with --accept-unpatched-node',
    );
  };
}
