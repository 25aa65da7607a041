/**
 * What a vendor allows one tenant, so that its answers do not add up to the model
 * (docs/protection.md). Undefined: no bound.
 */

/** The policies, each with what its bound counts. */
export const policyTexts = {
  backwardsPerForward: 'different Backward calls of a step (cotangent, and whether that of the rows is wanted)',
  directionsPerStep: 'different cotangents of a step',
  minTokens: 'tokens that at least one row with a cotangent sees, virtual ones and itself among them',
  directionsPerInput: 'directions of cotangents for one sequence of rows, in a day',
  nearInputs: 'directions in which rows near a row were sent, after the same rows, in a day',
  minRowNorm: 'least length of a text row',
  maxRowNorm: 'greatest length of a text row',
  maxPromptNorm: 'greatest length of a row of a soft prompt',
  rowsPerDay: 'rows that are answered in a day: hidden states and cotangents',
} as const;

/** A key of {@link policyTexts}. */
export type PolicyName = keyof typeof policyTexts;

/** The names, in the order of the table. */
export const policyNames = Object.keys(policyTexts) as readonly PolicyName[];

/** The policy of a tenant. */
export type Policy = Readonly<Record<PolicyName, number | undefined>> & {
  /** The share of a bound at which an alarm is raised; of the bounds that count through a day. */
  readonly alarmAt: number;
};

/** Most that the bounds which follow the width of the model's rows are. */
const MOST_DIRECTIONS = 64;
const MOST_NEAR_INPUTS = 128;

/**
 * What holds without a file. Training of every method has one or two directions for an input and
 * three near inputs (test/gateway/protection/normal-use.test.ts). A Jacobian takes as many as the
 * rows are wide.
 */
export const standardPolicy = (hiddenSize: number): Policy => ({
  backwardsPerForward: 2,
  directionsPerStep: 1,
  minTokens: 2,
  directionsPerInput: within(8, MOST_DIRECTIONS, hiddenSize / 8),
  nearInputs: within(16, MOST_NEAR_INPUTS, hiddenSize / 4),
  minRowNorm: undefined,
  maxRowNorm: undefined,
  maxPromptNorm: undefined,
  rowsPerDay: undefined,
  alarmAt: 0.8,
});

/** A policy that allows all. */
export const noBounds: Policy = {
  backwardsPerForward: undefined,
  directionsPerStep: undefined,
  minTokens: undefined,
  directionsPerInput: undefined,
  nearInputs: undefined,
  minRowNorm: undefined,
  maxRowNorm: undefined,
  maxPromptNorm: undefined,
  rowsPerDay: undefined,
  alarmAt: 1,
};

const within = (least: number, most: number, value: number): number => Math.max(least, Math.min(most, Math.floor(value)));
