/** The coordinator's configuration: options as people give them (text), parsed once into a frozen, validated value. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { address } from '../options/address.js';
import { byteSize, count, logLevel, parseOptions, seconds } from '../options/option-parsers.js';
import { checkSecurity, securityOptions } from '../server/security.js';

const coordinatorSchema = z
  .strictObject({
    listen: address.prefault('127.0.0.1:50061'),
    admin: address.prefault('127.0.0.1:8081'),
    stateDir: z.string().min(1).prefault(defaultCoordinatorDir()),
    database: z.string().min(1).optional(),
    ...securityOptions,
    maxMessage: byteSize.prefault('256MiB'),
    maxDeadline: seconds(24 * 3600).prefault(600),
    maxInFlight: count(1, 65_536).prefault(2048),
    grace: seconds(3600).prefault(10),
    logLevel: logLevel.prefault('info'),
    json: z.boolean().prefault(false),
  })
  .superRefine((config, context) => {
    checkSecurity(config, 'updates and tokens', (path, message) => context.addIssue({ code: 'custom', path: [path], message }));
  });

/** What `cutlayer coordinator serve` was told. */
export type CoordinatorConfig = Readonly<z.output<typeof coordinatorSchema>>;

/** Where a coordinator keeps keys, certificates and its database unless told otherwise. */
export function defaultCoordinatorDir(): string {
  return join(homedir(), '.cutlayer', 'coordinator');
}

/**
 * Parses options whose values are texts, numbers or booleans.
 * @throws CutlayerError INVALID_OPTION naming the flag
 */
export function parseCoordinatorConfig(options: Readonly<Record<string, unknown>>): CoordinatorConfig {
  return parseOptions(coordinatorSchema, options);
}
