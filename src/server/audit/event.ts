/**
 * What is audited: names of events, and fields with short values. Callers pass sizes, names and
 * decisions; no tensors, texts, tokens or contents of a step.
 */
import { CutlayerError } from '../../errors.js';
import { plainLine } from '../../files/output.js';
import { secretFields } from '../observability/secret-fields.js';

/** The closed list of events, and what each says. */
export const auditEvents = {
  chain: 'the first entry: it names the chain and the key of its checkpoints',
  start: 'a server answers from here on',
  stop: 'a server has finished its calls',
  call: 'a call with one answer: tenant, method, code, decision, sizes',
  stream: 'a stream was admitted, or has ended',
  refusals: 'calls that were refused in one second, counted',
  admin: 'an operator has changed something',
  keys: 'signing keys have changed',
  attestation: 'evidence of the running code was given to a tenant',
  alarm: 'a rule of protection was broken',
  checkpoint: 'a signature over all entries before it',
  interrupted: 'entries could not be written for a time, and calls were refused',
  mended: 'an incomplete last line of an earlier process was cut off',
} as const;

/** A key of {@link auditEvents}. */
export type AuditEventName = keyof typeof auditEvents;

/** Fields of an event; undefined ones are left out. */
export type AuditFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Takes events. */
export interface Audit {
  /**
   * Records an event; resolves when its entry is durable. An action that must not happen without
   * an entry awaits it.
   * @throws CutlayerError AUDIT_UNAVAILABLE when the entry cannot be written; INVALID_ARGUMENT for
   *   fields that may not be audited
   */
  record(event: AuditEventName, fields?: AuditFields): Promise<void>;
}

const MAX_FIELDS = 24;
/** Characters of a text; longer ones are cut. */
const MAX_TEXT = 256;
const FIELD_NAME = /^[a-z][A-Za-z0-9]{0,31}$/;
/** Fields that every entry has. */
const reserved: readonly string[] = ['sequence', 'time', 'event', 'previous', 'hash'];

/** The fields of an entry: checked names, bounded texts in one line. @throws INVALID_ARGUMENT */
export function checkFields(fields: AuditFields): Record<string, string | number | boolean> {
  const given = Object.entries(fields).filter((entry): entry is [string, string | number | boolean] => entry[1] !== undefined);
  if (given.length > MAX_FIELDS) refuse(`expected at most ${MAX_FIELDS} fields, got ${given.length}`);
  return Object.fromEntries(given.map(([name, value]) => [checkName(name), checkValue(name, value)]));
}

function checkName(name: string): string {
  if (!FIELD_NAME.test(name) || reserved.includes(name)) refuse(`there can be no field ${JSON.stringify(name).slice(0, 40)}`);
  if (secretFields.includes(name)) refuse(`${name}: a field of this name may hold a secret`);
  return name;
}

function checkValue(name: string, value: string | number | boolean): string | number | boolean {
  // Cutting may leave half of a surrogate pair, which has no UTF-8.
  if (typeof value === 'string') return Buffer.from(plainLine(value).slice(0, MAX_TEXT), 'utf8').toString('utf8');
  if (typeof value === 'number' && !Number.isFinite(value)) refuse(`${name}: expected a finite number, got ${value}`);
  return value;
}

function refuse(reason: string): never {
  throw new CutlayerError('INVALID_ARGUMENT', `audit: ${reason}`);
}
