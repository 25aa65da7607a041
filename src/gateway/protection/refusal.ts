/** What the protection says when it refuses a call or raises an alarm. */
import { CutlayerError } from '../../errors.js';
import { kebab } from '../../options/option.js';
import { type PolicyName, policyTexts } from './policy.js';

/** Evidence for the log and the audit: names and numbers, never values of tensors. */
export interface ProtectionEvent {
  readonly decision: 'refused' | 'alarm';
  readonly policy: PolicyName;
  readonly tenant: string;
  readonly method: ProtectedMethod;
  readonly seen: number;
  readonly allowed: number;
  /** Of a step or a decode session. */
  readonly id?: string;
}

/** The calls that are looked at. */
export type ProtectedMethod = 'Forward' | 'Backward' | 'KeyValues' | 'Decode';

/** Where the policies are that ask for at least their bound. */
export const leastPolicies: ReadonlySet<PolicyName> = new Set(['minTokens', 'minRowNorm']);

/** What a client can do. */
const advice: Readonly<Record<PolicyName, string>> = {
  backwardsPerForward: 'send a Forward for each vjp',
  directionsPerStep: 'send a Forward for each cotangent',
  minTokens: 'train on longer texts',
  directionsPerInput: 'train on more texts, or ask the vendor for a higher bound',
  nearInputs: 'ask the vendor for a higher bound if this is training',
  minRowNorm: "send rows of the bundle's embedding",
  maxRowNorm: "send rows of the bundle's embedding",
  maxPromptNorm: 'lower the learning rate, or begin from smaller values',
  rowsPerDay: 'go on after midnight UTC, or ask the vendor for a higher bound',
};

/** The error of a refused call; the same call fails again. */
export function protectionRefused({ policy, seen, allowed }: Pick<ProtectionEvent, 'policy' | 'seen' | 'allowed'>): CutlayerError {
  const most = leastPolicies.has(policy) ? 'at least' : 'at most';
  const message = `${kebab(policy)}: the vendor allows ${most} ${shown(allowed)} (${policyTexts[policy]}), got ${shown(seen)}; ${advice[policy]}`;
  return new CutlayerError('PROTECTION_REFUSED', message, { details: { policy: kebab(policy), seen, allowed } });
}

const shown = (value: number): string => (Number.isInteger(value) ? `${value}` : value.toPrecision(4));
