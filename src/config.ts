/** The gateway's configuration: options as people give them (text), parsed once into a frozen, validated value. */
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from './errors.js';

/** Where to listen. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:50051`, `[::1]:0`, `localhost:8080`. */
const address = z.string().transform((text, context): Address => {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    context.addIssue({ code: 'custom', message: `expected HOST:PORT, such as 127.0.0.1:50051 or [::1]:0, got ${text}` });
    return z.NEVER;
  }
  return { host: match[1] ?? match[2]!, port };
});

const unitBytes: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** `512MiB`, `2G`, `1048576`: binary units. */
const byteSize = z.string().transform((text, context) => {
  const match = /^(\d+(?:\.\d+)?)\s*([KMG]?)(?:i?B)?$/i.exec(text);
  const bytes = match === null ? Number.NaN : Math.round(Number(match[1]) * unitBytes[match[2]!.toUpperCase()]!);
  if (!Number.isSafeInteger(bytes)) {
    context.addIssue({ code: 'custom', message: `expected a size such as 512MiB or 2GiB, got ${text}` });
    return z.NEVER;
  }
  return bytes;
});

/** `gateway,10.0.0.7`: host names and addresses, comma-separated; none when empty. */
const names = z.string().transform((text, context): readonly string[] => {
  const parts = text.split(',').filter((part) => part !== '');
  const bad = parts.find((part) => isIP(part) === 0 && !/^(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/.test(part));
  if (bad !== undefined) context.addIssue({ code: 'custom', message: `expected host names or addresses, comma-separated, got ${bad}` });
  return parts;
});

const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const seconds = (most: number) =>
  z.coerce
    .number()
    .min(0)
    .max(most)
    .transform((value) => Math.round(value * 1000));
const logLevel = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']);

const gatewaySchema = z
  .strictObject({
    backbone: z.string().min(1),
    listen: address.prefault('127.0.0.1:50051'),
    admin: address.prefault('127.0.0.1:8080'),
    stateDir: z.string().min(1).prefault(defaultStateDir()),
    issuer: z.string().min(1).max(512).optional(),
    audience: z.string().min(1).max(512).optional(),
    jwksUrl: z.url({ protocol: /^https?$/ }).optional(),
    workers: count(1, 256).optional(),
    threads: count(1, 256).optional(),
    residualMemory: byteSize.prefault('1GiB'),
    queueLimit: count(1, 4096).prefault(64),
    maxBatch: count(1, 65_536).optional(),
    maxTokens: count(1, 2 ** 22).optional(),
    maxVirtualTokens: count(1, 65_536).optional(),
    maxDeadline: seconds(24 * 3600).optional(),
    maxInFlight: count(1, 4096).optional(),
    allowPrefixInit: z.boolean().prefault(false),
    grace: seconds(3600).prefault(30),
    tlsNames: names.prefault(''),
    tlsCert: z.string().min(1).optional(),
    tlsKey: z.string().min(1).optional(),
    insecure: z.boolean().prefault(false),
    verify: z.boolean().prefault(true),
    logLevel: logLevel.prefault('info'),
    json: z.boolean().prefault(false),
  })
  .superRefine((config, context) => {
    const fail = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if ((config.tlsCert === undefined) !== (config.tlsKey === undefined)) fail('tlsCert', 'expected --tls-cert and --tls-key together');
    if (config.insecure && config.tlsCert !== undefined) fail('insecure', 'expected either --insecure or a certificate, got both');
    if (config.insecure && !isLoopback(config.listen.host)) {
      fail(
        'insecure',
        `expected a loopback address with --insecure, got ${config.listen.host}; activations and tokens would travel in the clear`,
      );
    }
    if (config.jwksUrl?.startsWith('http:') && !isLoopback(new URL(config.jwksUrl).hostname.replace(/^\[|\]$/g, ''))) {
      fail('jwksUrl', 'expected an https address: whoever can change the keys on their way can issue tokens');
    }
    if (config.jwksUrl !== undefined && (config.issuer === undefined || config.audience === undefined)) {
      fail('jwksUrl', 'expected --issuer and --audience with --jwks-url: the claims that the external issuer puts into its tokens');
    }
  });

/** What `cutlayer gateway start` was told. */
export type GatewayConfig = Readonly<z.output<typeof gatewaySchema>>;

/** Where a gateway keeps keys and certificates unless told otherwise. */
export function defaultStateDir(): string {
  return join(homedir(), '.cutlayer', 'gateway');
}

/** Whether a host is this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Kebab-case, as on the command line. */
const flagOf = (path: PropertyKey | undefined): string =>
  `--${String(path ?? '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/**
 * Parses options whose values are texts, numbers or booleans.
 * @throws CutlayerError INVALID_OPTION naming the flag
 */
export function parseGatewayConfig(options: Readonly<Record<string, unknown>>): GatewayConfig {
  const parsed = gatewaySchema.safeParse(options);
  if (parsed.success) return Object.freeze(parsed.data);
  const issue = parsed.error.issues[0]!;
  throw new CutlayerError('INVALID_OPTION', `${flagOf(issue.path[0])}: ${issue.message}`);
}
