/** The gateway's table of options: flags, file, environment and documentation come from it. */
import { webAddress } from '../options/address.js';
import {
  integerBetween,
  type OptionTable,
  optional,
  parsed,
  path,
  required,
  toggle,
  under,
  type ValuesOf,
  withDefault,
} from '../options/option.js';
import { parseOptions } from '../options/parse-options.js';
import { byteSize, seconds } from '../options/quantities.js';
import { signerOption } from '../options/signer-option.js';
import { isoDate } from '../protocol/wire/iso-date.js';
import { callOptions, checkSecurity, listeningOptions, securityOptions } from '../server/security.js';
import { databaseOption } from '../server/store/database-option.js';
import { attestationOptions, checkAttestation } from './attestation/options.js';
import { ACCESS_TOKEN_SECONDS } from './identity/token-life.js';
import { defaultLimits } from './split/limits.js';
import { tenantOptions } from './tenants/options.js';

const serverDefaults = {
  listen: '127.0.0.1:50051',
  admin: '127.0.0.1:8080',
  stateDir: '~/.cutlayer/gateway',
  maxDeadline: defaultLimits.maxDeadlineMs / 1000,
  maxInFlight: defaultLimits.maxInFlight,
  mostInFlight: 4096,
  inFlightPerTenant: 'half of --max-in-flight',
  messageMemory: '1GiB, within --memory, or two of the largest messages',
  maxConnections: 1024,
  maxConnectionsPerAddress: 256,
  grace: 30,
};

/** The options of `cutlayer gateway start`. */
export const gatewayOptions = {
  ...under('Backbone', {
    backbone: required(path('dir', 'directory of a packed backbone (cutlayer pack)')),
    verify: toggle(true, 'skip the sha256 of the weights at start'),
    signer: signerOption("the backbone's"),
    shutdownDate: optional(
      parsed(
        'date',
        'day from which this backbone is no longer served, UTC; clients are told',
        'expected a date such as 2027-03-01',
        isoDate,
      ),
    ),
    allowPrefixInit: toggle(false, 'give out keys and values of real tokens, so that a prefix may begin from a text; see docs/privacy.md'),
  }),
  ...under('Protection of the model', {
    protection: optional(path('file', 'YAML with bounds on what a tenant may ask of the backbone; see docs/protection.md')),
  }),
  ...listeningOptions(serverDefaults),
  ...under('Addresses and state', {
    database: optional(
      databaseOption('file or postgres:// URL of the database of tenants and their use (default: gateway.db in the state directory)'),
    ),
    coordinator: optional(webAddress('admin port of a coordinator whose federations the page /admin shows, such as http://127.0.0.1:8081')),
    prices: optional(path('file', 'prices of work, YAML; see docs/metering.md (default: none)')),
  }),
  ...under('Computation', {
    workers: withDefault(integerBetween(1, 256, 'n', 'steps computed at once'), 1),
    threads: optional(integerBetween(1, 256, 'n', 'threads per worker (default: the cores, divided among the workers)')),
    memory: optional(
      byteSize('memory for calls, running steps and kept steps, weights not counted (default: half of the memory of the machine)'),
    ),
    packedMemory: optional(
      byteSize('copies of the weights that make steps faster, beside --memory; 0: none (default: half of what the machine has left)'),
    ),
    residualMemory: withDefault(byteSize('part of it for steps between forward and backward'), '1GiB'),
    queueLimit: withDefault(integerBetween(1, 4096, 'n', 'steps that may wait; more are refused as retryable'), 64),
  }),
  ...under('Decoding', {
    decodeMemory: withDefault(
      byteSize('keys and values of decode sessions, beside --memory; a tenant has half of it; 0: decode nothing'),
      '1GiB',
    ),
    decodeCache: withDefault(
      byteSize('part of it for rows that a tenant may append again (a prefix cache, per tenant); 0: none'),
      '256MiB',
    ),
    decodeSessions: withDefault(integerBetween(1, 4096, 'n', 'decode sessions of one tenant'), 64),
    decodeIdle: withDefault(seconds(24 * 3600, 'time after which a decode session that is not used ends'), 300),
  }),
  ...tenantOptions,
  ...under('Size of a step', {
    maxBatch: withDefault(integerBetween(1, 65_536, 'n', 'sequences of a step'), defaultLimits.maxBatch),
    maxTokens: withDefault(integerBetween(1, 2 ** 22, 'n', 'rows of a step'), defaultLimits.maxTokens),
    maxVirtualTokens: withDefault(integerBetween(1, 65_536, 'n', 'rows of a soft prompt or prefix'), defaultLimits.maxVirtualTokens),
  }),
  ...callOptions(serverDefaults),
  ...under('Calls', {
    acceptUnpatchedNode: toggle(false, 'serve several tenants on a Node with a published HTTP/2 fault; see docs/gateway.md'),
  }),
  ...securityOptions,
  ...attestationOptions,
  ...under('Tokens', {
    keysDir: optional(
      path('dir', 'signing keys and names of its own tokens, which gateways of one database share (default: the state directory)'),
    ),
    tokenLife: withDefault(
      integerBetween(1, ACCESS_TOKEN_SECONDS, 'seconds', 'life of a token of the token endpoint'),
      ACCESS_TOKEN_SECONDS,
    ),
    keyRotation: withDefault(integerBetween(0, 3650, 'days', 'age of the signing key at which a new one follows; 0: never'), 90),
  }),
} satisfies OptionTable;

/** The values of the options of `cutlayer gateway start`. */
export type GatewayConfig = ValuesOf<typeof gatewayOptions>;

/** Checks options together. @throws CutlayerError INVALID_OPTION naming the flag */
export function checkGatewayConfig(config: GatewayConfig): GatewayConfig {
  checkSecurity(config, 'activations and tokens');
  checkAttestation(config);
  return config;
}

/**
 * The configuration from options by name, as texts of flags or as values of a file.
 * @throws CutlayerError INVALID_OPTION naming the flag
 */
export function parseGatewayConfig(options: Readonly<Record<string, unknown>>): GatewayConfig {
  return checkGatewayConfig(parseOptions(gatewayOptions, options));
}
