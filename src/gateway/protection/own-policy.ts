/**
 * Bounds that one place names: the file of `--protection` for all tenants or for one, and a
 * tenant's row. One schema is for all of them.
 */
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { type ValueChange, valuesAfter } from '../tenants/value-change.js';
import { type PolicyName, policyNames, policyTexts } from './policy.js';

/** A bound of a place, by its policy; `off` is no bound. */
export type OwnPolicy = { readonly [N in PolicyName]?: number | 'off' } & { readonly alarmAt?: number };

/** A key of {@link OwnPolicy}. */
export type OwnPolicyName = keyof OwnPolicy;

/** The keys, in their order. */
export const ownPolicyNames: readonly OwnPolicyName[] = [...policyNames, 'alarmAt'];

/** A change of a row: null takes what it names away. @see RFC 7396 */
export type OwnPolicyChange = ValueChange<OwnPolicy>;

/** What a place says beside the bounds of {@link policyTexts}. */
const ALARM_TEXT = 'share of a bound at which an alarm is raised';

/** A bound, or `off`; whichever check fails, it says the same. */
const orOff = (of: (error: string) => z.ZodNumber, expected: string) => {
  const error = `expected ${expected}, or off`;
  return z.union([of(error), z.literal('off')], { error });
};
const count = (most: number) =>
  orOff((error) => z.int({ error }).min(1, { error }).max(most, { error }), `a whole number from 1 to ${most}`);
const few = count(2 ** 31 - 1);
const norm = orOff((error) => z.number({ error }).min(0, { error }).max(1e30, { error }), 'a number from 0 to 1e30');
const share = 'expected a number above 0, and at most 1';

const schemas = {
  backwardsPerForward: few,
  directionsPerStep: few,
  minTokens: few,
  directionsPerInput: few,
  nearInputs: few,
  minRowNorm: norm,
  maxRowNorm: norm,
  maxPromptNorm: norm,
  rowsPerDay: count(Number.MAX_SAFE_INTEGER),
  alarmAt: z.number({ error: share }).gt(0, { error: share }).max(1, { error: share }),
} as const satisfies Readonly<Record<OwnPolicyName, z.ZodType>>;

/** What a key says. */
export const policyText = (name: OwnPolicyName): string => (name === 'alarmAt' ? ALARM_TEXT : policyTexts[name]);

type Shape<Row> = {
  -readonly [N in OwnPolicyName]: Row extends 'own'
    ? z.ZodOptional<(typeof schemas)[N]>
    : z.ZodOptional<z.ZodNullable<(typeof schemas)[N]>>;
};

const shapeOf = <Row extends 'own' | 'change'>(row: Row): Shape<Row> =>
  Object.fromEntries(
    ownPolicyNames.map((name) => [name, (row === 'own' ? schemas[name] : schemas[name].nullable()).optional().describe(policyText(name))]),
  ) as unknown as Shape<Row>; // one of each name

const strict = <S extends z.ZodRawShape>(shape: S) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? `expected ${ownPolicyNames.join(', ')}; got ${issue.keys.join(', ').slice(0, 80)}` : undefined,
  });

/** Bounds as JSON. */
export const ownPolicySchema = strict(shapeOf('own'));

/** A change of bounds as JSON. */
export const ownPolicyChangeSchema = strict(shapeOf('change'));

/** The value of one key. @returns what is wrong with it, or the value */
export function readBound(name: OwnPolicyName, given: unknown): { readonly bound: number | 'off' } | { readonly wrong: string } {
  const { success, data, error } = schemas[name].safeParse(given);
  return success ? { bound: data } : { wrong: error.issues[0]!.message };
}

/** Bounds from the store; null: none. @throws CutlayerError STORE_CORRUPT */
export function storedPolicy(value: unknown, tenant: string): OwnPolicy | null {
  const { success, data } = ownPolicySchema.nullable().safeParse(value);
  if (success) return data === null ? null : valuesAfter<OwnPolicy>(data, {});
  throw new CutlayerError('STORE_CORRUPT', `protection of ${tenant}: expected bounds in the store, got something else; restore a backup`);
}

/** A row's bounds after a change; null: none is left. @param change null takes all away */
export function changedPolicy(own: OwnPolicy | null, change: OwnPolicyChange | null): OwnPolicy | null {
  const after = change === null ? {} : valuesAfter<OwnPolicy>(own ?? {}, change);
  return Object.keys(after).length === 0 ? null : after;
}
