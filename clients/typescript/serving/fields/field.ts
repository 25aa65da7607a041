/**
 * Fields of a request as data: a row says what happens to a field, and how its value is read. The
 * tables of the endpoints are made of such rows; docs/serving.md is written from them.
 */
import type { z } from 'zod';
import { CutlayerError } from '../../../../src/errors.js';
import { plainNumbers } from '../../data/exact-numbers.js';
import type { Body } from '../http/json-body.js';
import { badField } from '../http/problem.js';

/** A field that does what OpenAI's reference says, or what `says` adds. */
export interface Honoured<Value = unknown> {
  readonly treatment: 'honoured';
  readonly says: string;
  readonly schema: z.ZodType<Value>;
  /** Its numbers stay as {@link plainNumbers} would change them: a chat template prints them. */
  readonly exact?: true;
  /** Not a field of OpenAI's API. */
  readonly extension?: true;
}

/** A field without effect on the answer. */
export interface Ignored {
  readonly treatment: 'ignored';
  readonly says: string;
}

/** A field that would change the answer, and does not here. */
export interface Refused {
  readonly treatment: 'refused';
  readonly says: string;
  /** Values that ask for nothing, and pass. */
  readonly unless?: z.ZodType;
}

export type FieldRow = Honoured | Ignored | Refused;

/** Fields by their name in a request. */
export type FieldTable = Readonly<Record<string, FieldRow>>;

/** The values of the honoured fields that were given. */
export type FieldValues<Table extends FieldTable> = {
  readonly [Name in keyof Table as Table[Name] extends Honoured ? Name : never]?: Table[Name] extends Honoured<infer Value> ? Value : never;
};

export const honoured = <Value>(says: string, schema: z.ZodType<Value>): Honoured<Value> => ({ treatment: 'honoured', says, schema });
export const extension = <Value>(says: string, schema: z.ZodType<Value>): Honoured<Value> => ({
  ...honoured(says, schema),
  extension: true,
});
export const exact = <Value>(row: Honoured<Value>): Honoured<Value> => ({ ...row, exact: true });
export const ignored = (says: string): Ignored => ({ treatment: 'ignored', says });
export const refused = (says: string, unless?: z.ZodType): Refused => ({
  treatment: 'refused',
  says,
  ...(unless !== undefined && { unless }),
});

/**
 * The values of a body. Null is as good as absent, as in OpenAI's API.
 * @param endpoint Its name in errors.
 * @throws CutlayerError INVALID_ARGUMENT naming the field: unknown, refused, or of another form
 */
export function readFields<Table extends FieldTable>(table: Table, body: Body, endpoint: string): FieldValues<Table> {
  const values: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(body)) {
    const row = Object.hasOwn(table, name) ? table[name] : undefined;
    if (row === undefined)
      throw badField(name, `not a field of ${endpoint}; leave it out (docs/serving.md lists the fields)`, 'unknown_parameter');
    if (given === null || row.treatment === 'ignored') continue;
    if (row.treatment === 'refused') {
      if (row.unless?.safeParse(plainNumbers(given)).success === true) continue;
      throw badField(name, `not supported here: ${row.says}`, 'unsupported_parameter');
    }
    values[name] = readValue(row, name, given);
  }
  return values as FieldValues<Table>; // each value was read by its own row
}

function readValue({ schema, exact }: Honoured, name: string, given: unknown): unknown {
  const parsed = schema.safeParse(exact === true ? given : plainNumbers(given));
  if (parsed.success) return exact === true ? given : parsed.data;
  const [issue] = parsed.error.issues;
  const place = (issue?.path ?? []).reduce<string>((at, key) => (typeof key === 'number' ? `${at}[${key}]` : `${at}.${String(key)}`), name);
  throw badField(place, issue?.message ?? 'of another form than expected');
}

/** A field that a request must have. @throws CutlayerError INVALID_ARGUMENT */
export function required<Value>(value: Value | undefined, name: string): Value {
  if (value !== undefined) return value;
  throw new CutlayerError('INVALID_ARGUMENT', `${name}: expected a value, got none`, {
    details: { param: name, code: 'missing_required_parameter' },
  });
}
