/** Whether a genuine quote is what a policy asks for. */
import type { AttestationPolicy, Kind, Measurements } from './policy.js';
import { rejected } from './policy.js';
import type { VerifiedQuote } from './quote.js';

const DAY_MS = 86_400_000;

/**
 * @param bound The report data that the quote must have, 64 bytes
 * @param now Milliseconds since 1970
 * @throws CutlayerError ATTESTATION_REJECTED naming the field that differs
 */
export function judge(policy: AttestationPolicy, quote: VerifiedQuote, bound: Uint8Array, now: number): void {
  if (!Buffer.from(bound).equals(quote.reportData))
    throw rejected(
      'report data',
      'a quote for this call and this TLS key',
      'a quote for another',
      'Evidence was replayed, or something between ends TLS: reach the gateway directly.',
    );
  judgeMeasurements(policy.measurements[quote.kind], quote.kind, quote.measurements);
  if (!policy.tcb.includes(quote.tcb))
    throw rejected(
      'TCB status',
      policy.tcb.join(' or '),
      quote.tcb,
      'Ask the vendor to update the machine, or allow it in the policy (tcb).',
    );
  const age = now - quote.collateralIssued;
  if (age > policy.maxCollateralAgeMs)
    throw rejected(
      'age of the collateral',
      `at most ${days(policy.maxCollateralAgeMs)}`,
      `${days(age)} (of ${new Date(quote.collateralIssued).toISOString()})`,
      'Ask the vendor to fetch it anew.',
    );
}

function judgeMeasurements(allowed: readonly Measurements[], kind: Kind, found: Measurements): void {
  const differences = allowed.map((entry) => differing(entry, found)).sort((a, b) => a.length - b.length);
  const [nearest] = differences;
  if (nearest === undefined)
    throw rejected('hardware', 'a kind that the policy has measurements of', kind, 'Add its measurements to the policy.');
  const [first] = nearest;
  if (first === undefined) return;
  const [register, wanted] = first;
  throw rejected(
    register,
    wanted,
    found[register] ?? 'none',
    'It runs other code: compare with the measurements that the vendor publishes, and change the policy only if you trust them.',
  );
}

/** Registers of an entry that have another value, in the order of the entry. */
function differing(entry: Measurements, found: Measurements): readonly (readonly [keyof Measurements, string])[] {
  const named = Object.entries(entry) as [keyof Measurements, string][]; // its keys are registers
  return named.filter(([register, wanted]) => found[register] !== wanted);
}

const days = (ms: number): string => `${Math.floor(ms / DAY_MS)} days`;
