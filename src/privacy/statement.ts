/** What may be claimed of a trained adapter: whose privacy, how much, after which releases. */
import { epsilonOf } from './accountant.js';
import type { PrivacyEvent, Sampling } from './event.js';

/** Whose presence is hidden: a participant's with all its data, or a training example's. */
export type PrivacyUnit = 'client' | 'example';

/** A guarantee with everything that it depends on; plain JSON. */
export interface PrivacyStatement {
  readonly unit: PrivacyUnit;
  /** null: no bound, because something was released without noise. */
  readonly epsilon: number | null;
  readonly delta: number;
  readonly order: number;
  /** Releases: rounds of a federation, or steps of a run. */
  readonly rounds: number;
  /** Of the last release. */
  readonly sampling: Sampling;
  /** The smallest of all releases: deviation of the noise over the sensitivity. */
  readonly noiseMultiplier: number;
}

/** The statement of some releases. @throws CutlayerError INVALID_ARGUMENT */
export function privacyStatement(unit: PrivacyUnit, events: readonly PrivacyEvent[], delta: number): PrivacyStatement {
  const { epsilon, order } = epsilonOf(events, delta);
  const released = events.filter(({ count }) => count > 0);
  const last = released.at(-1);
  return {
    unit,
    epsilon: Number.isFinite(epsilon) ? epsilon : null,
    delta,
    order,
    rounds: released.reduce((sum, { count }) => sum + count, 0),
    sampling: last?.kind === 'gaussian' ? last.sampling : { kind: 'none' },
    noiseMultiplier: released.reduce((least, event) => Math.min(least, multiplierOf(event)), released.length === 0 ? 0 : Infinity),
  };
}

/**
 * One line:
 * `(example, epsilon 7.330, delta 1e-5) after 2250 steps, Poisson sampling at rate 0.04,
 * noise multiplier 1.5`.
 * Epsilon is rounded up.
 */
export function statementText({ unit, epsilon, delta, rounds, sampling, noiseMultiplier }: PrivacyStatement): string {
  const releases = `${rounds} ${unit === 'client' ? 'round' : 'step'}${rounds === 1 ? '' : 's'}`;
  const chosen = sampling.kind === 'none' ? 'no sampling' : `Poisson sampling at rate ${short(sampling.rate)}`;
  return `${guaranteeText(unit, epsilon, delta)} after ${releases}, ${chosen}, noise multiplier ${short(noiseMultiplier)}`;
}

/** As `(example, epsilon 7.330, delta 1e-5)`. @param epsilon null or infinite: there is no bound */
export function guaranteeText(unit: string, epsilon: number | null, delta: number): string {
  const bound =
    epsilon === null || epsilon === Infinity ? 'no bound on epsilon' : `epsilon ${(Math.ceil(epsilon * 1000) / 1000).toFixed(3)}`;
  return `(${unit}, ${bound}, delta ${exponent(delta)})`;
}

function multiplierOf(event: PrivacyEvent): number {
  if (event.kind === 'gaussian') return event.noiseMultiplier;
  return Math.sqrt((event.minSurvivors * event.sigma * event.sigma) / event.sensitivitySquared);
}

const short = (value: number): string => String(Number(value.toPrecision(4)));
const exponent = (value: number): string => (value < 0.001 ? value.toExponential() : String(value));
