/** What all parties agree on before a round, and each participant's own floors. */
import { CutlayerError } from '../../errors.js';
import { type GraphSettings, graphShape, HIDING } from './graph.js';

/** One round's parameters; equal at coordinator and participants, or the round fails. */
export interface SecAggRound {
  /** The federation's id: the hex sha256 of its manifest. */
  readonly federation: string;
  /** Grows with every attempt; the first is 1. */
  readonly round: number;
  /** Values are added modulo 2^bits: 8 to 32. */
  readonly bits: number;
  /** Values in the vector. */
  readonly length: number;
  /**
   * The part of the cohort that has to stay to the end: (1/2, 1]; see `thresholdOf`. A
   * coordinator that keeps to the protocol learns a secret with as many colluders. One that shows
   * participants different lists of survivors needs only 2t − n of them: a third of the cohort at
   * 2/3.
   */
  readonly threshold: number;
  /** No sum is of fewer members; at least `HIDING`. */
  readonly minSurvivors: number;
  /** The smallest cohort that begins; at least `minSurvivors`. */
  readonly minCohort: number;
  /** The largest one: the sum of so many values does not wrap (`fixed-point.ts`). */
  readonly maxCohort: number;
  readonly graph: GraphSettings;
}

/** A participant's own floors: kept in its own files, never taken from the coordinator. */
export interface Pins {
  /** It joins no cohort below this size. */
  readonly minCohort: number;
  /** It joins no round in which fewer parties than this could open a secret. */
  readonly minThreshold: number;
  /** It confirms and unmasks no sum of fewer members than this. */
  readonly minSurvivors: number;
  /** The highest round it has ever begun; 0 before the first. */
  readonly lastRound: number;
}

/** Complete up to 64; above, a third may drop out and a tenth collude, at 2^-40. */
export const defaultGraph: GraphSettings = { completeUpTo: 64, colluding: 0.1, dropout: 1 / 3, sigma: 40 };

/** Answers that each stage needs from a cohort of `n`: ceil(threshold · n), and more than half. */
export function thresholdOf(round: Pick<SecAggRound, 'threshold'>, n: number): number {
  return Math.max(Math.ceil(round.threshold * n - 1e-9), Math.floor(n / 2) + 1);
}

/**
 * How many of a cohort of `n` have to be in a sum: `thresholdOf`, the round's own floor, and
 * always `HIDING`.
 */
export function fewestSurvivorsOf(round: Pick<SecAggRound, 'threshold' | 'minSurvivors'>, n: number): number {
  return Math.max(thresholdOf(round, n), round.minSurvivors, HIDING);
}

/**
 * @throws CutlayerError INVALID_CONFIG when a parameter is outside its range, or the largest cohort
 *   would need more neighbours than a secret can have holders
 */
export function checkRound(round: SecAggRound): void {
  const { graph } = round;
  const whole = (value: number, from: number, to: number) => Number.isInteger(value) && value >= from && value <= to;
  const rules: readonly (readonly [boolean, string])[] = [
    [round.federation.length > 0, 'federation: expected the hex id'],
    [whole(round.round, 1, Number.MAX_SAFE_INTEGER), `round: expected a whole number from 1, got ${round.round}`],
    [whole(round.bits, 8, 32), `bits: expected a whole number from 8 to 32, got ${round.bits}`],
    [whole(round.length, 1, 2 ** 31), `length: expected a whole number from 1 to 2^31, got ${round.length}`],
    [
      round.threshold > 0.5 && round.threshold <= 1,
      `threshold: expected more than 1/2 and at most 1 of the cohort, got ${round.threshold}`,
    ],
    [whole(round.minSurvivors, HIDING, 2 ** 20), `minSurvivors: expected a whole number from ${HIDING} to 2^20, got ${round.minSurvivors}`],
    [
      whole(round.minCohort, round.minSurvivors, round.maxCohort),
      `minCohort: expected a whole number from minSurvivors (${round.minSurvivors}) to maxCohort, got ${round.minCohort}`,
    ],
    [whole(round.maxCohort, HIDING, 2 ** 20), `maxCohort: expected a whole number from ${HIDING} to 2^20, got ${round.maxCohort}`],
    [whole(graph.completeUpTo, 2, 255), `graph.completeUpTo: expected a whole number from 2 to 255, got ${graph.completeUpTo}`],
    [graph.colluding >= 0 && graph.dropout >= 0, 'graph: colluding and dropout are parts of the cohort, not below 0'],
    [graph.colluding + graph.dropout < 1, `graph: colluding and dropout together are less than 1, got ${graph.colluding + graph.dropout}`],
    [whole(graph.sigma, 1, 256), `graph.sigma: expected a whole number of bits from 1 to 256, got ${graph.sigma}`],
  ];
  const broken = rules.find(([holds]) => !holds);
  if (broken !== undefined) throw new CutlayerError('INVALID_CONFIG', `secure aggregation: ${broken[1]}`);
  graphShape(round.maxCohort, thresholdOf(round, round.maxCohort), graph);
}
