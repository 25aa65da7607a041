/**
 * Schemas of the bounds that one place names: the file of `--protection` for all tenants or for
 * one, and a tenant's row.
 */
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { type ValueChange, valuesAfter } from '../tenants/value-change.js';
import { boundRanges, expectedOf, type OwnPolicy, type OwnPolicyName, ownPolicyNames, policyText } from './bounds.js';
import { type PolicyName, policyNames } from './policy.js';

/** A change of a row: null takes what it names away. @see RFC 7396 */
export type OwnPolicyChange = ValueChange<OwnPolicy>;

/** A number in its range; whichever check fails, it says the same. */
function numberOf(name: OwnPolicyName): z.ZodNumber {
  const { whole, least, above, most } = boundRanges[name];
  const error = expectedOf(name);
  const number = whole ? z.int({ error }) : z.number({ error });
  return (above === true ? number.gt(least, { error }) : number.min(least, { error })).max(most, { error });
}
const orOff = (name: PolicyName) => z.union([numberOf(name), z.literal('off')], { error: expectedOf(name) });

const schemas = {
  ...(Object.fromEntries(policyNames.map((name) => [name, orOff(name)])) as Readonly<Record<PolicyName, ReturnType<typeof orOff>>>),
  alarmAt: numberOf('alarmAt'),
} as const satisfies Readonly<Record<OwnPolicyName, z.ZodType>>;

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
