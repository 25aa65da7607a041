/** Options of tenants: a light file, which the command line reads for its help. */
import { choice, integerBetween, type OptionTable, optional, under, type ValuesOf, withDefault } from '../../options/option.js';
import { byteSize } from '../../options/quantities.js';
import type { TenantLimits } from './limits.js';

const MOST = Number.MAX_SAFE_INTEGER;
const count = (description: string) => optional(integerBetween(1, MOST, 'n', `${description}, of each tenant (default: no limit)`));

/** Options of tenants; a tenant's own limits come before those. */
export const tenantOptions = under('Tenants', {
  tenants: withDefault(
    choice('which', ['any', 'listed'], 'who is served: any tenant with a token, or those that cutlayer gateway tenant create has made'),
    'any',
  ),
  tenantRequestsPerSecond: count('calls and messages of streams in a second'),
  tenantTokensPerMinute: count('rows through the backbone in a minute'),
  tenantTokensPerDay: count('rows through the backbone in a day (UTC)'),
  tenantInFlightMemory: optional(byteSize('memory for messages and inputs of calls, of each tenant (default: no limit of its own)')),
  tenantResidualMemory: optional(byteSize('memory for steps between forward and backward, of each tenant (default: no limit of its own)')),
  tenantDecodeMemory: optional(byteSize('keys and values of decode sessions, of each tenant (default: half of --decode-memory)')),
}) satisfies OptionTable;

/** Their values. */
export type TenantConfig = ValuesOf<typeof tenantOptions>;

/** The limits of a tenant that has none of its own. */
export function defaultLimits(config: TenantConfig): TenantLimits {
  const { tenantRequestsPerSecond, tenantTokensPerMinute, tenantTokensPerDay } = config;
  const { tenantInFlightMemory, tenantResidualMemory, tenantDecodeMemory } = config;
  return {
    ...(tenantRequestsPerSecond !== undefined && { requestsPerSecond: tenantRequestsPerSecond }),
    ...(tenantTokensPerMinute !== undefined && { tokensPerMinute: tenantTokensPerMinute }),
    ...(tenantTokensPerDay !== undefined && { tokensPerDay: tenantTokensPerDay }),
    ...(tenantInFlightMemory !== undefined && { inFlightBytes: tenantInFlightMemory }),
    ...(tenantResidualMemory !== undefined && { residualBytes: tenantResidualMemory }),
    ...(tenantDecodeMemory !== undefined && { keyValueBytes: tenantDecodeMemory }),
  };
}
