/** Options of `cutlayer client audit`. */
import {
  integerBetween,
  nonNegativeInteger,
  optional,
  parsedList,
  path,
  positiveInteger,
  required,
  text,
  toggle,
  under,
  type ValuesOf,
  withDefault,
} from '../../../../src/options/option.js';
import { type AttackerId, attackerIds } from '../../audit/attacker.js';
import { connectionOptions } from '../connection-options.js';
import { trainingDefenceOptions } from '../defence-options.js';
import { chatTemplate, format } from '../format-option.js';
import { eos, objective, overlong } from '../train/train-options-table.js';

const isAttacker = (given: unknown): AttackerId | undefined => attackerIds.find((id) => id === given);

export const auditOptions = {
  ...connectionOptions,
  gateway: { ...optional(text('host:port', "the vendor's gateway; not needed with --offline")), group: connectionOptions.gateway.group! },
  ...under('Audit', {
    data: required(path('file', 'your own records, as for train')),
    out: required(path('dir', 'where traces, results and report go; an interrupted audit goes on there')),
    adapter: optional(path('dir', "saved adapter, or a run's directory (default: a fresh soft prompt)")),
    offline: toggle(false, 'compute what would be sent, and send nothing: only attackers that need no answer run'),
    only: optional(
      parsedList('names', `attackers to run, of ${attackerIds.join(', ')} (default: all)`, 'expected attackers', isAttacker, { least: 1 }),
    ),
    maxRecords: withDefault(positiveInteger('n', 'the first n records are audited; from the next 512 an attacker learns'), 32),
    nonMembers: optional(
      path('file', 'records of the same kind that have not trained the adapter; 200 are used, to ask of membership (A6)'),
    ),
    planted: withDefault(nonNegativeInteger('n', 'records with made-up names and numbers that are sent too'), 8),
    seed: withDefault(integerBetween(0, 2 ** 32 - 1, 'n', 'of everything random'), 0),
    json: toggle(false, 'one JSON object on standard output'),
  }),
  ...trainingDefenceOptions,
  ...under('Records', {
    format,
    chatTemplate,
    objective,
    overlong: withDefault(overlong, 'truncate'),
    eos,
  }),
};

export type AuditFlags = ValuesOf<typeof auditOptions>;
