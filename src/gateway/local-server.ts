/** The file that tells commands of the same machine how to reach a running gateway's admin port. */
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../errors.js';
import { showAddress } from '../options/address.js';
import { adminCredentials } from '../server/admin/listen.js';
import { readStateFile, writeStateFile } from '../server/state-files.js';
import type { Tls } from '../server/tls/open-tls.js';
import type { GatewayConfig } from './config.js';

const FILE = 'local-server.json';

const localServerSchema = z.object({
  /** `host:port`, as this machine reaches it. */
  admin: z.string().min(1),
  /** The file with the certificate that it shows; null without TLS. */
  certFile: z.string().nullable(),
  pid: z.int(),
});

/** How to reach a gateway. */
export type LocalServer = z.output<typeof localServerSchema>;

/** Writes the file. @throws CutlayerError IO_ERROR */
function writeLocalServer(dir: string, server: LocalServer): Promise<void> {
  return writeStateFile(dir, FILE, `${JSON.stringify(server)}\n`);
}

/** Removes the file, unless a later gateway has written its own. */
async function removeLocalServer(dir: string, pid: number): Promise<void> {
  if ((await readLocalServer(dir).catch(() => undefined))?.pid === pid) await rm(join(dir, FILE), { force: true });
}

/** Undefined when no gateway runs there. @throws CutlayerError IO_ERROR */
export async function readLocalServer(dir: string): Promise<LocalServer | undefined> {
  const text = await readStateFile(dir, FILE);
  if (text === undefined) return undefined;
  try {
    return localServerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CutlayerError('IO_ERROR', `${FILE} in ${dir}: expected what gateway start writes, got something else; remove it`, { cause });
  }
}

/**
 * Writes the file of a gateway whose admin port listens.
 * @returns removes it
 * @throws CutlayerError IO_ERROR
 */
export async function announceAdmin(config: GatewayConfig, port: number, tls: Tls): Promise<() => Promise<void>> {
  const { stateDir, admin } = config;
  const withTls = adminCredentials(config, tls.credentials) !== 'insecure';
  const certFile = withTls ? resolve(config.tlsCert ?? join(stateDir, 'server.pem')) : null;
  await writeLocalServer(stateDir, { admin: showAddress({ host: localHost(admin.host), port }), certFile, pid: process.pid });
  return () => removeLocalServer(stateDir, process.pid);
}

/** This machine's address of a server that listens on every interface. */
function localHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
