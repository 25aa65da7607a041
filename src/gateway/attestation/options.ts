/** Options of `gateway start` about evidence of the code that runs. */
import { isAbsolute } from 'node:path';
import { CutlayerError } from '../../errors.js';
import { type OptionRow, optional, parsed, path, toggle, under, type ValuesOf } from '../../options/option.js';

/** The value of `--attestation` that means the kernel's own interface. */
export const TSM = 'tsm';

/** Options of what goes with a quote. */
function ofSource<T>(row: OptionRow<T>): OptionRow<T | undefined> {
  return { ...optional(row), idle: ({ attestation }) => (attestation === undefined ? 'it belongs to --attestation' : undefined) };
}

export const attestationOptions = under('Attestation', {
  attestation: optional(
    parsed<string>(
      'source',
      'where quotes come from: tsm (the configfs-tsm of Linux), or the path of a program that reads report data, hex, and writes a quote',
      `expected ${TSM}, or the absolute path of a program`,
      (given) => (typeof given === 'string' && (given === TSM || isAbsolute(given)) ? given : undefined),
    ),
  ),
  attestationCollateral: ofSource(path('file', 'JSON that goes with each quote: chains, revocation lists, TCB info; read at each call')),
  keepNothing: toggle(
    false,
    'forget a step when it is answered, keep no decode sessions and no bounds that remember rows, and refuse swap and core dumps',
  ),
  attestationNvidia: ofSource(path('file', 'program that reads a nonce, hex, and writes a token of NVIDIA attestation for it')),
});

type AttestationConfig = ValuesOf<typeof attestationOptions>;

/**
 * A TLS key from outside may have a copy elsewhere; the attested process makes its own.
 * @throws CutlayerError INVALID_OPTION
 */
export function checkAttestation(
  config: AttestationConfig & {
    readonly tlsKey?: string | undefined;
    readonly protection?: string | undefined;
    readonly insecure: boolean;
  },
): void {
  const { attestation, keepNothing, protection, tlsKey, insecure } = config;
  const refuse = (flag: string, message: string): never => {
    throw new CutlayerError('INVALID_OPTION', `${flag}: ${message}`);
  };
  if (keepNothing && protection !== undefined)
    refuse('--protection', 'expected none with --keep-nothing: its bounds remember projections of rows for a day');
  if (attestation === undefined) return;
  if (tlsKey !== undefined)
    refuse('--tls-key', 'expected none with --attestation: the key of TLS is made in the attested process, and stays there');
  if (insecure) refuse('--insecure', 'expected TLS with --attestation: evidence names the key of TLS');
}
