/** The file that tells commands of the same machine how to reach a running gateway's admin port. */
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { showAddress } from '../options/address.js';
import { adminCredentials } from '../server/admin/listen.js';
import { LocalServerFile, localHost } from '../server/local-server.js';
import type { Tls } from '../server/tls/open-tls.js';
import type { GatewayConfig } from './config.js';

const localServerSchema = z.object({
  /** `host:port`, as this machine reaches it. */
  admin: z.string().min(1),
  /** The file with the certificate that it shows; null without TLS. */
  certFile: z.string().nullable(),
  /** The directory of its signing keys; absent: the state directory. */
  keysDir: z.string().optional(),
  /** The external issuer whose tokens it takes; null where it issues its own. */
  externalIssuer: z.string().nullable().default(null),
  pid: z.int(),
});

/** How to reach a gateway. */
export type LocalServer = z.output<typeof localServerSchema>;

/** The file of a gateway. */
export const localGateway = new LocalServerFile({ file: 'local-server.json', command: 'gateway start', schema: localServerSchema });

/**
 * Writes the file of a gateway whose admin port listens.
 * @returns removes it
 * @throws CutlayerError IO_ERROR
 */
export function announceAdmin(config: GatewayConfig, port: number, tls: Tls): Promise<() => Promise<void>> {
  const { stateDir, admin, keysDir, jwksUrl, issuer } = config;
  const withTls = adminCredentials(config, tls.credentials) !== 'insecure';
  const certFile = withTls ? resolve(config.tlsCert ?? join(stateDir, 'server.pem')) : null;
  return localGateway.write(stateDir, {
    ...{ admin: showAddress({ host: localHost(admin.host), port }), certFile, pid: process.pid },
    externalIssuer: jwksUrl === undefined ? null : (issuer ?? null),
    ...(keysDir !== undefined && { keysDir: resolve(keysDir) }),
  });
}
