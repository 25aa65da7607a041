/** Makes the certificates of development, ECDSA P-256. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 24 * 3600 * 1000;
const CA_DAYS = 825;
const SERVER_DAYS = 90;

/** A certificate and its private key, PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function privatePem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  return pemFile(PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY'));
}

/** With a last newline, so that files can be joined. */
function pemFile(text: string): string {
  return `${text}\n`;
}

/** A positive serial number of 16 random bytes, in hex. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

/** A self-signed authority, from a day before `now`. @param now milliseconds since 1970 */
export async function makeAuthority(now: number): Promise<Pair> {
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
  return { cert: pemFile(cert.toString('pem')), key: await privatePem(keys) };
}

/** A server certificate for `hosts`, signed by the authority. @param now milliseconds since 1970 */
export function makeServer(authority: Pair, hosts: readonly string[], now: number): Promise<Pair> {
  return issue(authority, {
    subject: 'CN=Cutlayer server',
    days: SERVER_DAYS,
    usage: ExtendedKeyUsage.serverAuth,
    extensions: [new SubjectAlternativeNameExtension(hosts.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })))],
    now,
  });
}

/**
 * A client certificate, signed by the authority.
 * @param name its common name: 1 to 64 of [A-Za-z0-9._-]
 * @param now milliseconds since 1970
 */
export function makeClient(authority: Pair, name: string, days: number, now: number): Promise<Pair> {
  return issue(authority, { subject: `CN=${name}`, days, usage: ExtendedKeyUsage.clientAuth, extensions: [], now });
}

interface Issued {
  readonly subject: string;
  readonly days: number;
  readonly usage: ExtendedKeyUsage;
  readonly extensions: readonly Extension[];
  readonly now: number;
}

async function issue(authority: Pair, { subject, days, usage, extensions, now }: Issued): Promise<Pair> {
  const keys = await makeKeys();
  const issuer = new X509Certificate(authority.cert);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', PemConverter.decode(authority.key)[0]!, ALGORITHM, false, ['sign']);
  const cert = await X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      subject,
      issuer: issuer.subject,
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(Math.min(now + days * DAY_MS, issuer.notAfter.getTime())),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([usage]),
        ...extensions,
        await AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return { cert: pemFile(cert.toString('pem')), key: await privatePem(keys) };
}
