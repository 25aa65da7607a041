/** Options of TLS and of who issues tokens, which gateway and coordinator share, and the rules among them. */
import { z } from 'zod';
import { type Address, isLoopback } from '../options/address.js';
import { names } from '../options/option-parsers.js';

/** The options, to be spread into a server's schema. */
export const securityOptions = {
  issuer: z.string().min(1).max(512).optional(),
  audience: z.string().min(1).max(512).optional(),
  jwksUrl: z.url({ protocol: /^https?$/ }).optional(),
  tlsNames: names.prefault(''),
  tlsCert: z.string().min(1).optional(),
  tlsKey: z.string().min(1).optional(),
  insecure: z.boolean().prefault(false),
} as const;

/** What {@link securityOptions} parse to. */
export type SecurityConfig = Readonly<z.output<z.ZodObject<typeof securityOptions>>>;

/** What decides beside {@link SecurityConfig}. */
export interface ListeningConfig extends SecurityConfig {
  readonly listen: Address;
  readonly stateDir: string;
}

/**
 * Checks what options say together.
 * @param secrets what would travel in the clear without TLS
 * @param fail told of each option that is wrong, and why
 */
export function checkSecurity(
  config: ListeningConfig,
  secrets: string,
  fail: (option: keyof SecurityConfig, message: string) => void,
): void {
  if ((config.tlsCert === undefined) !== (config.tlsKey === undefined)) fail('tlsCert', 'expected --tls-cert and --tls-key together');
  if (config.insecure && config.tlsCert !== undefined) fail('insecure', 'expected either --insecure or a certificate, got both');
  if (config.insecure && !isLoopback(config.listen.host)) {
    fail('insecure', `expected a loopback address with --insecure, got ${config.listen.host}; ${secrets} would travel in the clear`);
  }
  if (config.jwksUrl?.startsWith('http:') && !isLoopback(new URL(config.jwksUrl).hostname.replace(/^\[|\]$/g, ''))) {
    fail('jwksUrl', 'expected an https address: whoever can change the keys on their way can issue tokens');
  }
  if (config.jwksUrl !== undefined && (config.issuer === undefined || config.audience === undefined)) {
    fail('jwksUrl', 'expected --issuer and --audience with --jwks-url: the claims that the external issuer puts into its tokens');
  }
}
