/** Verifies a DCAP quote of Intel TDX or SGX, down to the processor maker's root. */
import { createRequire } from 'node:module';
import { CutlayerError } from '../../../../src/errors.js';
import { checkRevocation, issuedAt, parseCollateral } from './collateral.js';
import { type Kind, type Measurements, rejected, type TcbStatus, tcbStatuses } from './policy.js';

/** What a genuine quote says. */
export interface VerifiedQuote {
  readonly kind: Kind;
  readonly measurements: Measurements;
  readonly tcb: TcbStatus;
  /** 64 bytes */
  readonly reportData: Uint8Array;
  /** When the older of TCB info and QE identity was issued, milliseconds since 1970. */
  readonly collateralIssued: number;
}

interface TdReport {
  readonly mrSignerSeam: Uint8Array;
  readonly mrTd: Uint8Array;
  readonly rtMr0: Uint8Array;
  readonly rtMr1: Uint8Array;
  readonly rtMr2: Uint8Array;
  readonly rtMr3: Uint8Array;
  readonly reportData: Uint8Array;
}

/** The part of `@phala/dcap-qvl` that is used. */
interface QuoteLibrary {
  readonly Quote: { parse(quote: Uint8Array): { rawCertChain(): Uint8Array } };
  readonly QuoteVerifier: {
    newWithRootCa(root: Buffer): {
      verify(
        quote: Uint8Array,
        collateral: object,
        nowSeconds: number,
      ): {
        readonly status: string;
        readonly report: {
          asTd10(): TdReport | null;
          asSgx(): { readonly mrEnclave: Uint8Array; readonly mrSigner: Uint8Array; readonly reportData: Uint8Array } | null;
        };
      };
    };
  };
  readonly constants: { readonly TRUSTED_ROOT_CA_DER: Buffer };
}

/** CommonJS, loaded where a policy asks for it. */
const library = (): QuoteLibrary => createRequire(import.meta.url)('@phala/dcap-qvl') as QuoteLibrary; // as its declarations say

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const ASK = 'Ask the vendor for the evidence of a running gateway.';

/** What a quote is verified against. */
export interface QuoteTrust {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Root authority, DER. Default: Intel's. */
  readonly root?: Buffer | undefined;
}

/**
 * @param collateral JSON that goes with the quote
 * @throws CutlayerError ATTESTATION_REJECTED, also for a machine or enclave in debug mode
 */
export async function verifyQuote(quote: Uint8Array, collateral: string, { now, root }: QuoteTrust): Promise<VerifiedQuote> {
  const { Quote, QuoteVerifier, constants } = library();
  const trusted = root ?? constants.TRUSTED_ROOT_CA_DER;
  const parts = parseCollateral(collateral);
  try {
    await checkRevocation(parts, Buffer.from(Quote.parse(quote).rawCertChain()).toString('latin1'), trusted, now);
    const { status, report } = QuoteVerifier.newWithRootCa(trusted).verify(quote, parts, now / 1000);
    const tcb = tcbStatuses.find((known) => known === status);
    if (tcb === undefined) throw rejected('TCB status', tcbStatuses.join(', '), status, ASK);
    const [td, enclave] = [report.asTd10(), report.asSgx()];
    const about = { tcb, collateralIssued: issuedAt(parts) };
    if (td !== null) return { ...about, ...ofMachine(td) };
    const { mrEnclave, mrSigner, reportData } = enclave!; // of one kind or the other
    return { ...about, kind: 'sgx', measurements: { mrenclave: hex(mrEnclave), mrsigner: hex(mrSigner) }, reportData };
  } catch (caught) {
    if (caught instanceof CutlayerError) throw caught;
    throw refused(caught);
  }
}

function ofMachine({
  mrSignerSeam,
  mrTd,
  rtMr0,
  rtMr1,
  rtMr2,
  rtMr3,
  reportData,
}: TdReport): Omit<VerifiedQuote, 'tcb' | 'collateralIssued'> {
  // Intel's own TDX modules have no signer but zero.
  if (mrSignerSeam.some((byte) => byte !== 0))
    throw rejected('TDX module', "Intel's own", 'one of another signer', 'Do not use this gateway.');
  const measurements = { mrtd: hex(mrTd), rtmr0: hex(rtMr0), rtmr1: hex(rtMr1), rtmr2: hex(rtMr2), rtmr3: hex(rtMr3) };
  return { kind: 'tdx', measurements, reportData };
}

/** The library says what is wrong in its message. */
function refused(caught: unknown): CutlayerError {
  const { message } = caught as Error; // it throws nothing else
  if (/debug mode/i.test(message))
    return rejected('debug', 'off', 'on: its operator can read its memory', 'Do not use this gateway.', caught);
  return rejected('quote', 'a genuine and valid one', message.slice(0, 200), ASK, caught);
}
