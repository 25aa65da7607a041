/**
 * TLS for a server without a configured certificate, ECDSA P-256. The first start makes a
 * certificate authority in the state directory, which signs a server certificate for the names that
 * the server listens on. Clients trust `ca.pem`.
 */
import 'reflect-metadata';
import { createPrivateKey, X509Certificate as NodeCertificate, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { openStateDir, readStateFile, writeStateFile } from '../state-files.js';

const CA_FILE = 'ca.pem';
const CA_KEY_FILE = 'ca-key.pem';
const SERVER_FILE = 'server.pem';
const SERVER_KEY_FILE = 'server-key.pem';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 24 * 3600 * 1000;
const CA_DAYS = 825;
const SERVER_DAYS = 90;
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

interface Pair {
  readonly cert: string;
  readonly key: string;
}

async function readPair(dir: string, certFile: string, keyFile: string): Promise<Pair | undefined> {
  const cert = await readStateFile(dir, certFile);
  const key = await readStateFile(dir, keyFile, { secret: true });
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

/** Whether a pair can be used: it parses, its key matches, and it lasts long enough. */
function usable({ cert, key }: Pair, now: number): boolean {
  try {
    const parsed = new NodeCertificate(cert);
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

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function privatePem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
}

/** A positive serial number of 16 random bytes, in hex. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

async function makeAuthority(now: number): Promise<Pair> {
  const keys = await makeKeys();
  const cert = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: 'CN=Cutlayer development CA',
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(now + CA_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return { cert: cert.toString('pem'), key: await privatePem(keys) };
}

async function makeServer(authority: Pair, hosts: readonly string[], now: number): Promise<Pair> {
  const keys = await makeKeys();
  const issuer = new X509Certificate(authority.cert);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', PemConverter.decode(authority.key)[0]!, ALGORITHM, false, ['sign']);
  const cert = await X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      subject: 'CN=Cutlayer server',
      issuer: issuer.subject,
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(Math.min(now + SERVER_DAYS * DAY_MS, issuer.notAfter.getTime())),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension(hosts.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }))),
        await AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return { cert: cert.toString('pem'), key: await privatePem(keys) };
}

/** Whether a server certificate is signed by this authority and valid for all hosts. */
function covers(server: Pair, authority: Pair, hosts: readonly string[]): boolean {
  const parsed = new NodeCertificate(server.cert);
  return (
    parsed.verify(new NodeCertificate(authority.cert).publicKey) &&
    hosts.every((host) => (isIP(host) === 0 ? parsed.checkHost(host) : parsed.checkIP(host)) !== undefined)
  );
}

/** Names that a development certificate always has. */
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1'] as const;

/** Addresses that mean every interface: a certificate for them has no use. */
const WILDCARDS: ReadonlySet<string> = new Set(['', '0.0.0.0', '::']);

/**
 * Opens the authority and server certificate of a state directory, and makes missing ones.
 * @param names more host names and addresses of the server; wildcard addresses add none
 * @param now milliseconds since 1970
 * @throws CutlayerError IO_ERROR
 */
export async function openDevelopmentTls(dir: string, names: readonly string[], now: number): Promise<TlsFiles> {
  await openStateDir(dir);
  const hosts = [...new Set([...LOCAL_HOSTS, ...names.filter((name) => !WILDCARDS.has(name))])];
  const kept = await readPair(dir, CA_FILE, CA_KEY_FILE);
  const newAuthority = kept === undefined || !usable(kept, now);
  const authority = newAuthority ? await makeAuthority(now) : kept;
  if (newAuthority) await writePair(dir, CA_FILE, CA_KEY_FILE, authority);
  let server = await readPair(dir, SERVER_FILE, SERVER_KEY_FILE);
  if (server === undefined || !usable(server, now) || !covers(server, authority, hosts)) {
    server = await makeServer(authority, hosts, now);
    await writePair(dir, SERVER_FILE, SERVER_KEY_FILE, server);
  }
  return { caFile: join(dir, CA_FILE), cert: server.cert, key: server.key, newAuthority };
}
