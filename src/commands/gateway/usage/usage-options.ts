/** Options of `cutlayer gateway usage`. */
import { gatewayOptions } from '../../../gateway/config.js';
import { choice, type OptionTable, optional, text, type ValuesOf, withDefault } from '../../../options/option.js';
import { adminTokenOption } from '../admin-token-option.js';

/** See the module's header. */
export const usageOptions = {
  tenant: optional(text('name', 'only its use')),
  model: optional(text('digest', 'only this model: the digest of its backbone')),
  adapter: optional(choice('kind', ['none', 'softPrompt', 'prefix'], 'only work with this adapter')),
  by: withDefault(choice('period', ['hour', 'day'], 'what a row sums up, in UTC'), 'day'),
  from: optional(text('time', 'periods from here on, as 2027-03-01 or 2027-03-01T12:00Z (default: 31 days ago)')),
  to: optional(text('time', 'periods that begin before (default: all)')),
  format: withDefault(choice('form', ['table', 'json', 'csv'], 'form of what is printed'), 'table'),
  stateDir: { ...gatewayOptions.stateDir, text: 'state directory of the gateway', group: 'Options' },
  database: { ...gatewayOptions.database, group: 'Options' },
  tokenFile: adminTokenOption,
  prices: { ...gatewayOptions.prices, text: 'prices of work, YAML, where no gateway runs (default: none)', group: 'Options' },
} satisfies OptionTable;

/** The values of its flags. */
export type UsageFlags = ValuesOf<typeof usageOptions>;
