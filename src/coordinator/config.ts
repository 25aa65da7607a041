/** The coordinator's table of options: flags, file, environment and documentation come from it. */
import { type OptionTable, optional, path, under, type ValuesOf, withDefault } from '../options/option.js';
import { byteSize } from '../options/quantities.js';
import { callOptions, checkSecurity, listeningOptions, securityOptions } from '../server/security.js';
import { databaseOption } from '../server/store/database-option.js';

/** Concurrent calls of one member by default; it may be in several federations. */
export const CALLS_OF_A_MEMBER = 64;

const serverDefaults = {
  listen: '127.0.0.1:50061',
  admin: '127.0.0.1:8081',
  stateDir: '~/.cutlayer/coordinator',
  maxDeadline: 600,
  maxInFlight: 2048,
  mostInFlight: 65_536,
  // A member needs two calls for each of its federations; the limit keeps places for others.
  inFlightPerTenant: String(CALLS_OF_A_MEMBER),
  messageMemory: '1GiB, or two of the largest messages',
  maxConnections: 4096,
  maxConnectionsPerAddress: 1024,
  grace: 10,
};

/** The options of `cutlayer coordinator serve`. */
export const coordinatorOptions = {
  ...listeningOptions(serverDefaults),
  ...under('Addresses and state', {
    database: optional(databaseOption('file or postgres:// URL of the database (default: coordinator.db in the state directory)')),
    latestFile: optional(
      path('file', 'a second file of how far federations have come, on other storage than the database; see docs/coordinator.md'),
    ),
  }),
  ...callOptions(serverDefaults),
  ...under('Calls', { maxMessage: withDefault(byteSize('largest update, or other message'), '256MiB') }),
  ...securityOptions,
} satisfies OptionTable;

/** The values of the options of `cutlayer coordinator serve`. */
export type CoordinatorConfig = ValuesOf<typeof coordinatorOptions>;

/** Checks options together. @throws CutlayerError INVALID_OPTION naming the flag */
export function checkCoordinatorConfig(config: CoordinatorConfig): CoordinatorConfig {
  checkSecurity(config, 'updates and tokens');
  return config;
}
