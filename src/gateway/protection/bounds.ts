/**
 * The bounds that a place may name, and their ranges. Options of commands are checked by them, so
 * this module imports no schema library; own-policy.ts makes schemas of them.
 */
import { type PolicyName, policyNames, policyTexts } from './policy.js';

/** A bound of a place, by its policy; `off` is no bound. */
export type OwnPolicy = { readonly [N in PolicyName]?: number | 'off' } & { readonly alarmAt?: number };

/** A key of {@link OwnPolicy}. */
export type OwnPolicyName = keyof OwnPolicy;

/** The keys, in their order. */
export const ownPolicyNames: readonly OwnPolicyName[] = [...policyNames, 'alarmAt'];

/** What a place says beside the bounds of {@link policyTexts}. */
const ALARM_TEXT = 'share of a bound at which an alarm is raised';

/** What a key says. */
export const policyText = (name: OwnPolicyName): string => (name === 'alarmAt' ? ALARM_TEXT : policyTexts[name]);

/** The numbers that a key takes. */
export interface BoundRange {
  readonly whole: boolean;
  readonly least: number;
  /** The least itself is not taken. */
  readonly above?: true;
  readonly most: number;
  /** Of the numbers, for errors. */
  readonly text: string;
}

const count = (most: number): BoundRange => ({ whole: true, least: 1, most, text: `a whole number from 1 to ${most}` });
const few = count(2 ** 31 - 1);
const norm: BoundRange = { whole: false, least: 0, most: 1e30, text: 'a number from 0 to 1e30' };

/** The ranges. All keys but `alarmAt` also take `off`. */
export const boundRanges: Readonly<Record<OwnPolicyName, BoundRange>> = {
  backwardsPerForward: few,
  directionsPerStep: few,
  minTokens: few,
  directionsPerInput: few,
  nearInputs: few,
  minRowNorm: norm,
  maxRowNorm: norm,
  maxPromptNorm: norm,
  rowsPerDay: count(Number.MAX_SAFE_INTEGER),
  alarmAt: { whole: false, least: 0, above: true, most: 1, text: 'a number above 0, and at most 1' },
};

/** What a key that got something else says. */
export const expectedOf = (name: OwnPolicyName): string => `expected ${boundRanges[name].text}${name === 'alarmAt' ? '' : ', or off'}`;

/** The value of one key. @returns what is wrong with it, or the value */
export function readBound(name: OwnPolicyName, given: unknown): { readonly bound: number | 'off' } | { readonly wrong: string } {
  if (given === 'off' && name !== 'alarmAt') return { bound: given };
  const { whole, least, above = false, most } = boundRanges[name];
  const fits =
    typeof given === 'number' && given >= least && given <= most && !(above && given === least) && (!whole || Number.isSafeInteger(given));
  return fits ? { bound: given } : { wrong: expectedOf(name) };
}
