/**
 * Server optimizers: the mean update Δ is a step's direction, the server decides how far to go.
 * Pure functions of settings, state and Δ. FedAvg: McMahan et al. 2017, arXiv:1602.05629. FedAvgM:
 * Hsu et al. 2019, arXiv:1909.06335. FedAdam and FedYogi: Reddi et al. 2021, arXiv:2003.00295,
 * Algorithm 2, without bias correction, as in the paper, and with its starting values m = 0, v =
 * τ².
 */
import { CutlayerError } from '../../../errors.js';

/** Named vectors that the server keeps from version to version; empty at the beginning. */
export type ServerState = Readonly<Record<string, Float64Array>>;

/** What a strategy makes of a round. */
export interface Aggregate {
  /** New parameters − old, [length]. */
  readonly delta: Float64Array;
  readonly state: ServerState;
}

interface MomentumSettings {
  readonly serverLearningRate: number;
  readonly momentum: number;
}

interface AdaptiveSettings {
  readonly serverLearningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly tau: number;
}

/** delta = η Δ */
export function fedAvg(
  { serverLearningRate }: { readonly serverLearningRate: number },
  _state: ServerState,
  mean: Float64Array,
): Aggregate {
  return { delta: mean.map((value) => serverLearningRate * value), state: {} };
}

/** v ← β v + Δ; delta = η v */
export function fedAvgM({ serverLearningRate, momentum }: MomentumSettings, state: ServerState, mean: Float64Array): Aggregate {
  const before = vectorOf(state, 'momentum', mean.length, 0);
  const after = mean.map((value, i) => momentum * before[i]! + value);
  return { delta: after.map((value) => serverLearningRate * value), state: { momentum: after } };
}

/** v ← β₂ v + (1 − β₂) Δ² */
export function fedAdam(settings: AdaptiveSettings, state: ServerState, mean: Float64Array): Aggregate {
  return adaptive(settings, state, mean, (v, square) => settings.beta2 * v + (1 - settings.beta2) * square);
}

/** v ← v − (1 − β₂) Δ² sign(v − Δ²) */
export function fedYogi(settings: AdaptiveSettings, state: ServerState, mean: Float64Array): Aggregate {
  return adaptive(settings, state, mean, (v, square) => v - (1 - settings.beta2) * square * Math.sign(v - square));
}

/** m ← β₁ m + (1 − β₁) Δ; v by `secondMomentOf`; delta = η m / (√v + τ) */
function adaptive(
  { serverLearningRate, beta1, tau }: AdaptiveSettings,
  state: ServerState,
  mean: Float64Array,
  secondMomentOf: (before: number, square: number) => number,
): Aggregate {
  const m = vectorOf(state, 'firstMoment', mean.length, 0);
  const v = vectorOf(state, 'secondMoment', mean.length, tau * tau);
  const firstMoment = mean.map((value, i) => beta1 * m[i]! + (1 - beta1) * value);
  const secondMoment = mean.map((value, i) => secondMomentOf(v[i]!, value * value));
  const delta = firstMoment.map((value, i) => (serverLearningRate * value) / (Math.sqrt(secondMoment[i]!) + tau));
  return { delta, state: { firstMoment, secondMoment } };
}

/** A vector of the state, or its starting value. @throws CutlayerError INVALID_SHAPE */
function vectorOf(state: ServerState, name: string, length: number, start: number): Float64Array {
  const vector = state[name] ?? new Float64Array(length).fill(start);
  if (vector.length !== length) {
    throw new CutlayerError(
      'INVALID_SHAPE',
      `server state ${name}: expected ${length} values, got ${vector.length}; it is of another adapter`,
    );
  }
  return vector;
}
