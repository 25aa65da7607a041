/** The gateway's configuration: options as people give them (text), parsed once into a frozen, validated value. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { address } from '../options/address.js';
import { byteSize, count, logLevel, parseOptions, seconds } from '../options/option-parsers.js';
import { checkSecurity, securityOptions } from '../server/security.js';

const gatewaySchema = z
  .strictObject({
    backbone: z.string().min(1),
    listen: address.prefault('127.0.0.1:50051'),
    admin: address.prefault('127.0.0.1:8080'),
    stateDir: z.string().min(1).prefault(defaultStateDir()),
    ...securityOptions,
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
    verify: z.boolean().prefault(true),
    logLevel: logLevel.prefault('info'),
    json: z.boolean().prefault(false),
  })
  .superRefine((config, context) => {
    const fail = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    checkSecurity(config, 'activations and tokens', fail);
  });

/** What `cutlayer gateway start` was told. */
export type GatewayConfig = Readonly<z.output<typeof gatewaySchema>>;

/** Where a gateway keeps keys and certificates unless told otherwise. */
export function defaultStateDir(): string {
  return join(homedir(), '.cutlayer', 'gateway');
}

/**
 * Parses options whose values are texts, numbers or booleans.
 * @throws CutlayerError INVALID_OPTION naming the flag
 */
export function parseGatewayConfig(options: Readonly<Record<string, unknown>>): GatewayConfig {
  return parseOptions(gatewaySchema, options);
}
