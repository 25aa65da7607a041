/** Options of `cutlayer gateway tenant …`. */
import { gatewayOptions } from '../../../gateway/config.js';
import { type OwnPolicyName, ownPolicyNames, policyText, readBound } from '../../../gateway/protection/bounds.js';
import {
  choice,
  integerBetween,
  kebab,
  type OptionRow,
  type OptionTable,
  optional,
  type Parsed,
  under,
  type ValuesOf,
  withDefault,
} from '../../../options/option.js';
import { byteSize } from '../../../options/quantities.js';
import { adminTokenOption } from '../admin-token-option.js';

const MOST = Number.MAX_SAFE_INTEGER;
const count = (description: string) => optional(integerBetween(1, MOST, 'n', description));
const size = (description: string) => optional(byteSize(description));

/**
 * The flags of limits. Each has the name of its limit, but for one that is a variable of `gateway
 * start` already.
 */
export const limitOptions = under('Limits', {
  requestsPerSecond: count('calls, and messages of decode streams, in a second'),
  tokensPerMinute: count('rows through the backbone in a minute'),
  tokensPerDay: count('rows through the backbone in a day (UTC)'),
  concurrentSteps: count('calls at once, waiting ones included'),
  inFlightBytes: size('messages and decoded inputs of calls'),
  residualBytes: size('steps between forward and backward'),
  keyValueBytes: size('keys and values of decode sessions'),
  sessions: count('decode sessions'),
}) satisfies OptionTable;

/** Their names as limits. */
export const limitFlagNames = Object.keys(limitOptions).map((name) => (name === 'sessions' ? 'decodeSessions' : name));

type BoundRow = OptionRow<number | 'off' | undefined>;

/** The flag of a bound; a file of the command may hold it too. */
function boundRow(name: OwnPolicyName): BoundRow {
  const parse = (given: unknown): Parsed<number | 'off'> => {
    const read = readBound(name, given);
    return 'wrong' in read ? { expected: read.wrong } : { value: read.bound };
  };
  const fromText = (given: string) => (given === 'off' || given.trim() === '' ? given : Number(given));
  return optional({ argument: name === 'alarmAt' ? 'share' : 'n|off', text: policyText(name), parse, fromText });
}

/** The flags of bounds of the protection. */
export const boundOptions = under(
  'Protection',
  Object.fromEntries(ownPolicyNames.map((name) => [name, boundRow(name)])) as Record<OwnPolicyName, BoundRow>,
) satisfies OptionTable;

/** A bound's name as its flag or as the API has it, or `all`. */
export const readBoundName = (given: unknown): OwnPolicyName | 'all' | undefined =>
  given === 'all' ? given : ownPolicyNames.find((name) => name === given || kebab(name) === given);

/** The flags that every command has. */
export const common = {
  format: withDefault(choice('form', ['text', 'json'], 'form of what is printed'), 'text'),
  stateDir: { ...gatewayOptions.stateDir, text: 'state directory of the gateway', group: 'Options' },
  database: { ...gatewayOptions.database, group: 'Options' },
  tokenFile: adminTokenOption,
  audit: { ...gatewayOptions.audit, text: "the gateway's --audit, where none runs", group: 'Options' },
} satisfies OptionTable;

/** The values of the flags that every command has. */
export type TenantFlags = ValuesOf<typeof common>;

/** The limits that flags name. */
export type LimitFlags = Partial<ValuesOf<typeof limitOptions>>;

/** The bounds of the protection that flags name. */
export type BoundFlags = Partial<ValuesOf<typeof boundOptions>>;
