/** What a client demands of the code behind a gateway. */
import type { JSONWebKeySet } from 'jose';
import { CutlayerError } from '../../../../src/errors.js';

/** How Intel judges a platform's firmware and microcode. */
export const tcbStatuses = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
] as const;
export type TcbStatus = (typeof tcbStatuses)[number];

/** Registers of a TDX machine, 48 bytes, lower-case hex: its firmware, then what it started. */
export const tdxRegisters = ['mrtd', 'rtmr0', 'rtmr1', 'rtmr2', 'rtmr3'] as const;
/** Of an SGX enclave, 32 bytes each, lower-case hex: its code, and the key that signed it. */
export const sgxRegisters = ['mrenclave', 'mrsigner'] as const;

export type Kind = 'tdx' | 'sgx';
type Register = (typeof tdxRegisters)[number] | (typeof sgxRegisters)[number];
/** Values of registers; one that is not named may have any. */
export type Measurements = Readonly<Partial<Record<Register, string>>>;

/** What has to hold before a row is sent. */
export interface AttestationPolicy {
  /** Allowed code: one of these, by kind of hardware. */
  readonly measurements: Readonly<Record<Kind, readonly Measurements[]>>;
  /** Allowed states of the platform. */
  readonly tcb: readonly TcbStatus[];
  /** Age of the TCB info and QE identity that the quote is judged by. */
  readonly maxCollateralAgeMs: number;
  /** Evidence older than this is asked for again. */
  readonly maxEvidenceAgeMs: number;
  /** Undefined: no accelerator is looked at. */
  readonly nvidia: NvidiaPolicy | undefined;
}

/** What a token of NVIDIA's attestation service has to be. */
export interface NvidiaPolicy {
  /** Keys of the service. */
  readonly jwks: JSONWebKeySet;
  readonly issuer: string;
  /** Claims and their values. */
  readonly claims: Readonly<Record<string, string | number | boolean>>;
}

/** What was verified. */
export interface Attested {
  readonly kind: Kind;
  readonly measurements: Measurements;
  readonly tcb: TcbStatus;
  /** When the older of TCB info and QE identity was issued, milliseconds since 1970. */
  readonly collateralIssued: number;
  /** sha256 of the quote, hex; the gateway's audit log has it too. */
  readonly evidence: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Whether a token of NVIDIA's service was verified. */
  readonly nvidia: boolean;
}

/** The error of evidence that is refused. No row has been sent after it. */
export function rejected(field: string, wanted: string, got: string, next: string, cause?: unknown): CutlayerError {
  const message = `attestation: ${field}: expected ${wanted}, got ${got}; nothing was sent. ${next}`;
  return new CutlayerError('ATTESTATION_REJECTED', message, { details: { field }, ...(cause !== undefined && { cause }) });
}
