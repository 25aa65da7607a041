/** Checks of the server itself: address, certificate and clock. */
import { CutlayerError } from '../../../../src/errors.js';
import { proxyVariable } from '../../connection/server-address.js';
import { probeServer, type SeenCertificate, type ServerProbe } from '../../connection/server-probe.js';
import type { CheckedConnection } from './checked-connection.js';
import { type CheckName, type Finding, failed, ok, skipped } from './finding.js';

/** The gateway takes tokens of a clock that differs by this much, and no more. */
const MOST_CLOCK_DIFFERENCE_MS = 60_000;
const DAY_MS = 24 * 3600 * 1000;
/** A certificate that ends sooner is named, so that its renewal is not forgotten. */
const SOON_DAYS = 14;

/** @param now Milliseconds since 1970, by this machine's clock. */
export async function serverFindings(flags: CheckedConnection, signal: AbortSignal, now: () => number): Promise<readonly Finding[]> {
  const { gateway: address, ca, insecure } = flags;
  const proxy = proxyVariable(address);
  if (proxy !== undefined) {
    const why = `behind the proxy that ${proxy} names: not looked at`;
    return (['address', 'certificate', 'clock'] as const).map((name) => skipped(name, why));
  }
  const began = now();
  let probe: ServerProbe;
  try {
    if (insecure && ca !== undefined) throw new CutlayerError('INVALID_ARGUMENT', 'either --ca or --insecure, not both');
    probe = await probeServer({ address, ca, insecure, role: 'gateway', signal });
  } catch (caught) {
    const name: CheckName = CutlayerError.from(caught).code === 'UNAVAILABLE' || ca === undefined ? 'address' : 'certificate';
    return [failed(name, caught), skipped('clock', 'the server was not reached')];
  }
  const ended = now();
  return [ok('address', `${address} answers`), certificateFinding(probe.certificate, flags, ended), clockFinding(probe, began, ended)];
}

function certificateFinding(certificate: SeenCertificate | undefined, flags: CheckedConnection, now: number): Finding {
  if (certificate === undefined) return ok('certificate', 'none: plain text, as --insecure says');
  const { refusal, names, validTo } = certificate;
  const days = Math.floor((validTo.getTime() - now) / DAY_MS);
  const what = `names ${names.slice(0, 8).join(', ') || 'none'}; valid until ${validTo.toISOString().slice(0, 10)}`;
  if (refusal === undefined) {
    const soon = days < SOON_DAYS ? '; ask the vendor whether it will be renewed' : '';
    return ok('certificate', `trusted; ${what}, ${days} days from now${soon}`);
  }
  return failed('certificate', new CutlayerError('CERTIFICATE_REJECTED', `not trusted (${refusal}); ${what}; ${advice(refusal, flags)}`));
}

/** What mends a refusal, by node's code for it. */
function advice(refusal: string, { ca }: CheckedConnection): string {
  if (refusal === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'reach the gateway by one of these names, or ask the vendor for a certificate with its name';
  if (/EXPIRED|NOT_YET_VALID/.test(refusal)) return `compare the clocks: this machine's says ${new Date().toISOString()}`;
  return ca === undefined
    ? "pass the vendor's CA file with --ca"
    : `${ca.includes('-----BEGIN') ? 'the CA' : ca} is not the authority of this gateway: ask the vendor for the present ca.pem`;
}

function clockFinding({ serverTime }: ServerProbe, began: number, ended: number): Finding {
  if (serverTime === undefined) return skipped('clock', 'the server tells no time');
  // The header has whole seconds, cut off: half a second is the middle of what it can mean.
  const difference = (began + ended) / 2 - (serverTime + 500);
  const seconds = Math.round(Math.abs(difference) / 1000);
  if (seconds <= 1) return ok('clock', "as the gateway's, to a second");
  const says = `this machine is ${seconds} s ${difference > 0 ? 'ahead of' : 'behind'} the gateway`;
  if (Math.abs(difference) <= MOST_CLOCK_DIFFERENCE_MS) return ok('clock', says);
  const message = `${says}, which takes tokens within ${MOST_CLOCK_DIFFERENCE_MS / 1000} s only; set the clock that is wrong (UTC here: ${new Date(ended).toISOString()})`;
  return failed('clock', new CutlayerError('INVALID_ARGUMENT', message));
}
