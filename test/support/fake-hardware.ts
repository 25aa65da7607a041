/**
 * A processor maker of the tests: its root, its collateral, and quotes of machines that do not exist. The layouts are Intel's (Intel TDX DCAP
 * Quoting Library API, appendix A.3; Intel SGX PCK Certificate specification).
 */
import 'reflect-metadata';
import { createHash, createSign, generateKeyPairSync, KeyObject, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  Extension,
  type X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
  X509CrlReason,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
const FMSPC = '00906ed50000';

/** What a test makes different in the collateral. */
export interface CollateralChanges {
  /** Milliseconds since 1970. Default: an hour before the maker's time. */
  readonly issued?: number;
  readonly revoked?: 'processor' | 'tcbSigner';
  /** Revocation lists by somebody else. */
  readonly foreignLists?: boolean;
  readonly listsEnded?: boolean;
}

/** What a test makes different in a quote. */
export interface QuoteChanges {
  readonly mrtd?: string;
  readonly rtmr1?: string;
  readonly rtmr3?: string;
  readonly debug?: boolean;
  /** 5: up to date; 3: out of date; 1: revoked. Default 5. */
  readonly tcbSvn?: number;
  /** Who made the TDX module; zero: Intel. */
  readonly moduleSigner?: number;
}

export interface FakeHardware {
  /** The maker's root, DER. */
  readonly root: Buffer;
  collateral(changes?: CollateralChanges): Promise<string>;
  /** A quote of a TDX machine. @param reportData 64 bytes */
  quote(reportData: Uint8Array, changes?: QuoteChanges): Buffer;
}

/** Registers of the machine, unless a test says otherwise. */
export const fakeRegisters = {
  mrtd: 'a1'.repeat(48),
  rtmr0: 'b0'.repeat(48),
  rtmr1: 'b1'.repeat(48),
  rtmr2: 'b2'.repeat(48),
  rtmr3: 'b3'.repeat(48),
};

const tlv = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  const length = content.length < 128 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
};
/** An object identifier below 1.2.840.113741.1.13.1, Intel's arc of SGX. */
const oid = (...below: readonly number[]): Buffer => tlv(6, Buffer.from([0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 13, 1, ...below]));

/** What a processor's certificate says of it. */
function processorExtension(): Extension {
  const pceSvn = tlv(0x30, oid(2, 17), tlv(2, Buffer.from([11])));
  const cpuSvn = tlv(0x30, oid(2, 18), tlv(4, Buffer.alloc(16, 5)));
  const content = tlv(0x30, tlv(0x30, oid(2), tlv(0x30, pceSvn, cpuSvn)), tlv(0x30, oid(4), tlv(4, Buffer.from(FMSPC, 'hex'))));
  return new Extension('1.2.840.113741.1.13.1', false, content);
}

interface Holder {
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  /** The same private key for node's signatures. */
  readonly key: KeyObject;
}

/** @param now Milliseconds since 1970 */
export async function fakeHardware(now: number): Promise<FakeHardware> {
  const root = await holder('Fake Root CA', undefined, now, [new BasicConstraintsExtension(true, 1, true)]);
  const platform = await holder('Fake Platform CA', root, now, [new BasicConstraintsExtension(true, 0, true)]);
  const processor = await holder('Fake PCK', platform, now, [new BasicConstraintsExtension(false), processorExtension()]);
  const tcbSigner = await holder('Fake TCB Signing', root, now, [new BasicConstraintsExtension(false)]);
  const chain = (...holders: readonly Holder[]) => holders.map(({ certificate }) => certificate.toString('pem')).join('\n');
  return {
    root: Buffer.from(root.certificate.rawData),
    async collateral({ issued = now - DAY_MS / 24, revoked, foreignLists = false, listsEnded = false } = {}) {
      const stranger = foreignLists ? await holder('Fake Root CA', undefined, now, []) : undefined;
      const list = async (issuer: Holder, gone: Holder | undefined) => {
        const made = await X509CrlGenerator.create(
          {
            issuer: issuer.certificate.subject,
            thisUpdate: new Date(now - 2 * DAY_MS),
            nextUpdate: new Date(listsEnded ? now - DAY_MS : now + 30 * DAY_MS),
            entries: gone === undefined ? [] : [{ serialNumber: gone.certificate.serialNumber, reason: X509CrlReason.keyCompromise }],
            signingAlgorithm: ALGORITHM,
            signingKey: (stranger ?? issuer).keys.privateKey,
          },
          webcrypto,
        );
        return Buffer.from(made.rawData).toString('hex');
      };
      const dates = { issueDate: iso(issued), nextUpdate: iso(issued + 30 * DAY_MS) };
      const tcbInfo = JSON.stringify({
        id: 'TDX',
        version: 3,
        ...dates,
        fmspc: FMSPC,
        pceId: '0000',
        tcbType: 0,
        tcbEvaluationDataNumber: 17,
        tcbLevels,
      });
      const qeIdentity = JSON.stringify({ id: 'TD_QE', version: 2, ...dates, tcbEvaluationDataNumber: 17, ...quotingEnclave });
      return JSON.stringify({
        pck_crl_issuer_chain: chain(platform, root),
        root_ca_crl: await list(root, revoked === 'tcbSigner' ? tcbSigner : undefined),
        pck_crl: await list(platform, revoked === 'processor' ? processor : undefined),
        tcb_info_issuer_chain: chain(tcbSigner, root),
        tcb_info: tcbInfo,
        tcb_info_signature: sign(Buffer.from(tcbInfo), tcbSigner.key).toString('hex'),
        qe_identity_issuer_chain: chain(tcbSigner, root),
        qe_identity: qeIdentity,
        qe_identity_signature: sign(Buffer.from(qeIdentity), tcbSigner.key).toString('hex'),
      });
    },
    quote(reportData, changes = {}) {
      const header = Buffer.alloc(48);
      header.writeUInt16LE(4, 0);
      header.writeUInt16LE(2, 2);
      header.writeUInt32LE(0x81, 4);
      const signed = Buffer.concat([header, machineReport(reportData, changes)]);
      const attestation = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const { x = '', y = '' } = attestation.publicKey.export({ format: 'jwk' });
      const point = Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
      const about = Buffer.alloc(32, 9);
      const enclave = Buffer.alloc(384);
      Buffer.from(quotingEnclave.mrsigner, 'hex').copy(enclave, 128);
      enclave.writeUInt16LE(quotingEnclave.isvprodid, 256);
      enclave.writeUInt16LE(4, 258);
      createHash('sha256').update(point).update(about).digest().copy(enclave, 320);
      const chainText = Buffer.from(chain(processor, platform, root));
      const certified = Buffer.concat([
        enclave,
        sign(enclave, processor.key),
        uint(2, 32),
        about,
        uint(2, 5),
        uint(4, chainText.length),
        chainText,
      ]);
      const proof = Buffer.concat([sign(signed, attestation.privateKey), point, uint(2, 6), uint(4, certified.length), certified]);
      return Buffer.concat([signed, uint(4, proof.length), proof]);
    },
  };
}

/** The 584 bytes of a TDX 1.0 report. */
function machineReport(reportData: Uint8Array, changes: QuoteChanges): Buffer {
  const report = Buffer.alloc(584);
  report.fill(changes.tcbSvn ?? 5, 0, 16);
  report.fill(changes.moduleSigner ?? 0, 64, 112);
  // SEPT_VE_DISABLE is on; the first bit is that of debug mode.
  report[123] = 0x10;
  report[120] = changes.debug ? 1 : 0;
  const { mrtd, rtmr0, rtmr1, rtmr2, rtmr3 } = { ...fakeRegisters, ...changes };
  for (const [at, value] of [
    [136, mrtd],
    [328, rtmr0],
    [376, rtmr1],
    [424, rtmr2],
    [472, rtmr3],
  ] as const)
    Buffer.from(value, 'hex').copy(report, at);
  report.set(reportData, 520);
  return report;
}

const components = (svn: number) => Array.from({ length: 16 }, () => ({ svn }));
const level = (svn: number, tcbStatus: string) => ({
  tcb: { sgxtcbcomponents: components(svn), pcesvn: 5, tdxtcbcomponents: components(svn) },
  tcbDate: '2025-01-01T00:00:00Z',
  tcbStatus,
});
const tcbLevels = [level(5, 'UpToDate'), level(3, 'OutOfDate'), level(1, 'Revoked')];
const quotingEnclave = {
  miscselect: '00000000',
  miscselectMask: 'FFFFFFFF',
  attributes: '00'.repeat(16),
  attributesMask: '00'.repeat(16),
  mrsigner: 'dc'.repeat(32),
  isvprodid: 2,
  tcbLevels: [{ tcb: { isvsvn: 4 }, tcbDate: '2025-01-01T00:00:00Z', tcbStatus: 'UpToDate' }],
};

async function holder(name: string, issuer: Holder | undefined, now: number, extensions: readonly Extension[]): Promise<Holder> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const common = {
    notBefore: new Date(now - 100 * DAY_MS),
    notAfter: new Date(now + 1000 * DAY_MS),
    signingAlgorithm: ALGORITHM,
    extensions: [...extensions],
  };
  const certificate =
    issuer === undefined
      ? await X509CertificateGenerator.createSelfSigned({ ...common, name: `CN=${name}`, keys }, webcrypto)
      : await X509CertificateGenerator.create(
          {
            ...common,
            subject: `CN=${name}`,
            issuer: issuer.certificate.subject,
            publicKey: keys.publicKey,
            signingKey: issuer.keys.privateKey,
          },
          webcrypto,
        );
  return { certificate, keys, key: KeyObject.from(keys.privateKey) };
}

const sign = (content: Uint8Array, key: KeyObject): Buffer => createSign('sha256').update(content).sign({ key, dsaEncoding: 'ieee-p1363' });
const iso = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

function uint(bytes: 2 | 4, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntLE(value, 0, bytes);
  return buffer;
}
