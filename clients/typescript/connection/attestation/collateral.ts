/**
 * What goes with a quote, and the checks on it that the quote library leaves out. Revocation lists
 * are signed and in date, and only authorities sign certificates.
 * @see RFC 5280 sec. 5, 6.3
 */
import 'reflect-metadata';
import { webcrypto, X509Certificate } from 'node:crypto';
import { X509Certificate as ParsedCertificate, X509Crl } from '@peculiar/x509';
import { rejected } from './policy.js';

const fields = [
  'pck_crl_issuer_chain',
  'root_ca_crl',
  'pck_crl',
  'tcb_info_issuer_chain',
  'tcb_info',
  'tcb_info_signature',
  'qe_identity_issuer_chain',
  'qe_identity',
  'qe_identity_signature',
] as const;

/** As Intel's service gives it: PEM chains, JSON texts, lists and signatures in hex. */
export type Collateral = Readonly<Record<(typeof fields)[number], string>>;

const ASK = 'Ask the vendor for evidence with present collateral.';

/** @throws CutlayerError ATTESTATION_REJECTED */
export function parseCollateral(text: string): Collateral {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (cause) {
    throw rejected('collateral', 'JSON', text === '' ? 'none' : 'something else', ASK, cause);
  }
  const record = (typeof found === 'object' && found !== null ? found : {}) as Readonly<Record<string, unknown>>;
  const missing = fields.find((name) => typeof record[name] !== 'string');
  if (missing !== undefined) throw rejected(`collateral ${missing}`, 'a text', typeof record[missing], ASK);
  // No other fields: the library would take a chain from here in place of the quote's.
  return Object.fromEntries(fields.map((name) => [name, record[name]])) as Collateral; // each is a text
}

/** When the older of TCB info and QE identity was issued, in milliseconds. */
export function issuedAt({ tcb_info, qe_identity }: Collateral): number {
  const dates = [tcb_info, qe_identity].map((text) => Date.parse(String((JSON.parse(text) as { issueDate?: unknown }).issueDate)));
  const oldest = Math.min(...dates);
  if (Number.isNaN(oldest)) throw rejected('collateral', 'issue dates', 'none', ASK);
  return oldest;
}

/**
 * Checks revocation lists and the certificates that they are about.
 * @param quoteChain The PEM chain inside the quote, the leaf first
 * @param root The authority that all chains end at, DER
 * @param now Milliseconds since 1970
 * @throws CutlayerError ATTESTATION_REJECTED
 */
export async function checkRevocation(collateral: Collateral, quoteChain: string, root: Buffer, now: number): Promise<void> {
  const chains = [quoteChain, collateral.tcb_info_issuer_chain, collateral.qe_identity_issuer_chain].map(certificatesOf);
  const issuer = chains[0]![1];
  if (issuer === undefined) throw rejected('certificates', 'the chain of the processor in the quote', 'less', ASK);
  const lists = [
    await listOf(collateral.root_ca_crl, 'root_ca_crl', new X509Certificate(root), now),
    await listOf(collateral.pck_crl, 'pck_crl', issuer, now),
  ];
  for (const certificate of chains.flat()) {
    const parsed = new ParsedCertificate(certificate.raw);
    for (const list of lists) {
      if (list.issuer === parsed.issuer && list.findRevoked(parsed) !== null)
        throw rejected(
          'certificates',
          'none that is revoked',
          `a revoked one (serial ${certificate.serialNumber})`,
          'Do not use this gateway.',
        );
    }
  }
  for (const authority of chains.flatMap((chain) => chain.slice(1)))
    if (!authority.ca) throw rejected('certificates', 'authorities above the leaf', `one that is none (${authority.serialNumber})`, ASK);
}

function certificatesOf(chain: string): readonly X509Certificate[] {
  const found = chain.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    return found.map((pem) => new X509Certificate(pem));
  } catch (cause) {
    throw rejected('certificates', 'certificates in PEM', 'something else', ASK, cause);
  }
}

async function listOf(hex: string, name: string, issuer: X509Certificate, now: number): Promise<X509Crl> {
  let list: X509Crl;
  let signed: boolean;
  try {
    list = new X509Crl(Buffer.from(hex, 'hex'));
    signed = await list.verify({ publicKey: new ParsedCertificate(issuer.raw) }, webcrypto);
  } catch (cause) {
    throw rejected(name, 'a revocation list', 'something else', ASK, cause);
  }
  if (!signed) throw rejected(name, 'the signature of its issuer', 'another', 'Do not use this gateway.');
  const { thisUpdate, nextUpdate } = list;
  if (nextUpdate === undefined || now < thisUpdate.getTime() || now > nextUpdate.getTime())
    throw rejected(
      name,
      `a list of ${new Date(now).toISOString()}`,
      `one from ${thisUpdate.toISOString()} to ${nextUpdate?.toISOString() ?? 'no end'}`,
      ASK,
    );
  return list;
}
