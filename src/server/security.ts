/** Options of gateway and coordinator: addresses, state, tokens, TLS and logs, and their rules. */
import { CutlayerError } from '../errors.js';
import { address, hostNames, webAddress } from '../options/address.js';
import {
  choice,
  integerBetween,
  kebab,
  type OptionTable,
  optional,
  path,
  text,
  toggle,
  under,
  type ValuesOf,
  withDefault,
} from '../options/option.js';
import { byteSize, seconds } from '../options/quantities.js';
import { isLoopback } from '../protocol/wire/loopback.js';
import { auditOption } from './audit/audit-target.js';
import { defaultBounds, type ServerBounds } from './rpc/limits.js';

const HOUR = 3600;
const MOST_CONNECTIONS = 65_536;
/** How much is logged. */
export type LogLevel = (typeof logLevels)[number];

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** Defaults that differ between gateway and coordinator. */
export interface ServerDefaults {
  readonly listen: string;
  readonly admin: string;
  readonly stateDir: string;
  /** In seconds. */
  readonly maxDeadline: number;
  readonly maxInFlight: number;
  /** The upper limit of maxInFlight. */
  readonly mostInFlight: number;
  /** What maxInFlightPerTenant is without the option, in words. */
  readonly inFlightPerTenant: string;
  /** What messageMemory is without the option, in words. */
  readonly messageMemory: string;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** In seconds. */
  readonly grace: number;
}

/** Where a server listens, and where it keeps its state. */
export function listeningOptions({ listen, admin, stateDir }: ServerDefaults) {
  return under('Addresses and state', {
    listen: withDefault(address('gRPC address; port 0 picks a free one'), listen),
    admin: withDefault(address('address of keys, health and metrics'), admin),
    stateDir: withDefault(path('dir', 'keys, certificates and other state'), stateDir),
    audit: auditOption,
  });
}

/** Calls and connections that a server admits. */
export function callOptions(defaults: ServerDefaults) {
  const { mostInFlight } = defaults;
  return under('Calls', {
    maxDeadline: withDefault(seconds(24 * HOUR, 'longest time for one call, waiting included'), defaults.maxDeadline),
    maxInFlight: withDefault(integerBetween(1, mostInFlight, 'n', 'calls at once, waiting ones included'), defaults.maxInFlight),
    maxInFlightPerTenant: optional(
      integerBetween(1, mostInFlight, 'n', `calls of one tenant at once (default: ${defaults.inFlightPerTenant})`),
    ),
    messageMemory: optional(byteSize(`memory for requests and answers; a tenant has half of it (default: ${defaults.messageMemory})`)),
    maxConnections: withDefault(integerBetween(1, MOST_CONNECTIONS, 'n', 'connections at once'), defaults.maxConnections),
    maxConnectionsPerAddress: withDefault(
      integerBetween(1, MOST_CONNECTIONS, 'n', 'connections from one address at once; raise it behind a proxy'),
      defaults.maxConnectionsPerAddress,
    ),
    grace: withDefault(seconds(HOUR, 'time for calls in flight at shutdown'), defaults.grace),
    reflection: toggle(false, 'tell callers with a token the services and messages, for tools such as grpcurl'),
  });
}

/** Tokens, TLS and logs. */
export const securityOptions = {
  ...under('Tokens', {
    issuer: optional(text('name', 'iss of the tokens (default: a name made for this state directory)', 512)),
    audience: optional(text('name', 'aud of the tokens (default: a name made for this state directory)', 512)),
    jwksUrl: optional(webAddress('public keys of an external issuer, instead of the embedded one')),
  }),
  ...under('TLS', {
    tlsNames: withDefault(hostNames('names by which clients reach it, for the development certificate, comma-separated'), []),
    tlsCert: optional(path('file', 'certificate chain, PEM (default: a development certificate)')),
    tlsKey: optional(path('file', 'its private key, PEM')),
    clientCa: optional(
      path('file', 'authorities of client certificates, PEM: each token must be bound to the certificate of its connection'),
    ),
    adminTls: toggle(false, 'TLS on a loopback --admin too; every other address of it has TLS'),
    insecure: toggle(false, 'no TLS; loopback addresses only'),
  }),
  ...under('Output', {
    logLevel: withDefault(choice('level', logLevels, 'how much goes to the log on standard error'), 'info'),
    json: toggle(false, 'print one JSON line when ready'),
  }),
} satisfies OptionTable;

/** The values from which TLS and tokens are opened. */
export type ListeningConfig = Omit<ValuesOf<typeof securityOptions & ReturnType<typeof listeningOptions>>, 'logLevel' | 'json'>;

/** The values of {@link callOptions}. */
export type CallConfig = ValuesOf<ReturnType<typeof callOptions>>;

/** The bounds that the options set. */
export function boundsOf({ maxConnections, maxConnectionsPerAddress }: CallConfig): Partial<ServerBounds> {
  return { connections: { ...defaultBounds.connections, maxConnections, maxConnectionsPerAddress } };
}

/**
 * Checks options that depend on each other.
 * @param secrets what would be sent unencrypted without TLS
 * @throws CutlayerError INVALID_OPTION naming the flag
 */
export function checkSecurity(config: ListeningConfig, secrets: string): void {
  const refuse = (option: keyof ListeningConfig, message: string): never => {
    throw new CutlayerError('INVALID_OPTION', `--${kebab(option)}: ${message}`);
  };
  if ((config.tlsCert === undefined) !== (config.tlsKey === undefined)) refuse('tlsCert', 'expected --tls-cert and --tls-key together');
  if (config.insecure && config.tlsCert !== undefined) refuse('insecure', 'expected either --insecure or a certificate, got both');
  if (config.insecure && config.clientCa !== undefined) refuse('clientCa', 'expected TLS: client certificates are a part of it');
  if (config.insecure && config.adminTls) refuse('adminTls', 'expected either --insecure or --admin-tls, got both');
  if (config.insecure && !isLoopback(config.listen.host)) {
    refuse('insecure', `expected a loopback address with --insecure, got ${config.listen.host}; ${secrets} would travel in the clear`);
  }
  if (config.jwksUrl?.startsWith('http:') && !isLoopback(new URL(config.jwksUrl).hostname.replace(/^\[|\]$/g, ''))) {
    refuse('jwksUrl', 'expected an https address: over http an attacker can replace the keys and issue tokens');
  }
  if (config.jwksUrl !== undefined && (config.issuer === undefined || config.audience === undefined)) {
    refuse('jwksUrl', 'expected --issuer and --audience with --jwks-url: the claims that the external issuer puts into its tokens');
  }
}
