/** The real gateway in this process, on loopback, and one connection for all participants. */
import { join } from 'node:path';
import { type OwnGateway, openOwnGateway } from '../own-gateway.js';

/** Starts it. @param directory for its keys @throws CutlayerError of artifact or port */
export function openSimulationGateway(
  backbone: string,
  directory: string,
  { threads, signer }: { readonly threads?: number | undefined; readonly signer?: string | undefined } = {},
): Promise<OwnGateway> {
  const stateDir = join(directory, 'gateway');
  return openOwnGateway(
    { backbone, stateDir, insecure: true, queueLimit: 4096, audit: 'none', threads, signer },
    { tenant: 'simulation', scopes: ['model:read', 'train', 'infer'] },
  );
}
