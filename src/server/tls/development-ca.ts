/**
 * TLS for a server without a configured certificate, ECDSA P-256. The first start makes a
 * certificate authority in the state directory, which signs a server certificate for the names that
 * the server listens on. Clients trust `ca.pem`.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { openStateDir, readStateFile, writeStateFile } from '../state-files.js';
import type { Pair } from './certificates.js';

const CA_FILE = 'ca.pem';
const CA_KEY_FILE = 'ca-key.pem';
const SERVER_FILE = 'server.pem';
const SERVER_KEY_FILE = 'server-key.pem';

const DAY_MS = 24 * 3600 * 1000;
/** A certificate with less time left than this is renewed at the next start. */
const RENEW_BEFORE_MS = 7 * DAY_MS;

/** What a TLS server needs, in PEM. */
export interface TlsFiles {
  readonly caFile: string;
  readonly cert: string;
  readonly key: string;
  /** Whether the authority is new: clients that trust an older one need `caFile` again. */
  readonly newAuthority: boolean;
}

/** A pair that is written nowhere; undefined before one is made. */
export interface HeldPair {
  pair: Pair | undefined;
}

async function readPair(dir: string, certFile: string, keyFile: string): Promise<Pair | undefined> {
  const cert = await readStateFile(dir, certFile);
  const key = await readStateFile(dir, keyFile, { secret: true });
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

/** Whether a pair can be used: it parses, its key matches, and it lasts long enough. */
function usable({ cert, key }: Pair, now: number): boolean {
  try {
    const parsed = new X509Certificate(cert);
    return (
      parsed.checkPrivateKey(createPrivateKey(key)) &&
      Date.parse(parsed.validFrom) <= now &&
      Date.parse(parsed.validTo) - now > RENEW_BEFORE_MS
    );
  } catch {
    return false;
  }
}

async function writePair(dir: string, certFile: string, keyFile: string, { cert, key }: Pair): Promise<void> {
  await writeStateFile(dir, keyFile, key, { secret: true });
  await writeStateFile(dir, certFile, cert);
}

/** Whether a server certificate is signed by this authority and valid for all hosts. */
function covers(server: Pair, authority: Pair, hosts: readonly string[]): boolean {
  const parsed = new X509Certificate(server.cert);
  return (
    parsed.verify(new X509Certificate(authority.cert).publicKey) &&
    hosts.every((host) => (isIP(host) === 0 ? parsed.checkHost(host) : parsed.checkIP(host)) !== undefined)
  );
}

/** Loaded only to make a certificate: its libraries take a third of a second. */
const maker = () => import('./certificates.js');

/** Names that a development certificate always has. */
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1'] as const;

/** Addresses that mean every interface: a certificate for them has no use. */
const WILDCARDS: ReadonlySet<string> = new Set(['', '0.0.0.0', '::']);

/**
 * Opens the authority and server certificate of a state directory, and makes missing ones.
 * @param names more host names and addresses of the server; wildcard addresses add none
 * @param now milliseconds since 1970
 * @param inMemory holds the server's pair in place of the directory, which is not looked at for one
 * @throws CutlayerError IO_ERROR
 */
export async function openDevelopmentTls(
  dir: string,
  names: readonly string[],
  now: number,
  inMemory?: HeldPair | undefined,
): Promise<TlsFiles> {
  await openStateDir(dir);
  const hosts = [...new Set([...LOCAL_HOSTS, ...names.filter((name) => !WILDCARDS.has(name))])];
  const kept = await readPair(dir, CA_FILE, CA_KEY_FILE);
  const newAuthority = kept === undefined || !usable(kept, now);
  const authority = newAuthority ? await (await maker()).makeAuthority(now) : kept;
  if (newAuthority) await writePair(dir, CA_FILE, CA_KEY_FILE, authority);
  let server = inMemory === undefined ? await readPair(dir, SERVER_FILE, SERVER_KEY_FILE) : inMemory.pair;
  if (server === undefined || !usable(server, now) || !covers(server, authority, hosts)) {
    server = await (await maker()).makeServer(authority, hosts, now);
    if (inMemory === undefined) await writePair(dir, SERVER_FILE, SERVER_KEY_FILE, server);
    else inMemory.pair = server;
  }
  return { caFile: join(dir, CA_FILE), cert: server.cert, key: server.key, newAuthority };
}
