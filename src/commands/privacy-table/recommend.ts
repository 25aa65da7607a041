/** What to choose of a table, for a tolerance, and why; or that no setting does. */
import { figure, percent } from '../../../clients/typescript/cli/text-layout.js';
import { type LeakKind, leakKinds, lossPoints, type PrivacyRow, rowName } from './privacy-row.js';

/** Most that the best attacker may get, for most points of the task. */
export interface Goal {
  readonly most: number;
  readonly points: number;
}

/** What a goal is called. */
export const leakNames: Readonly<Record<LeakKind, string>> = {
  tokens: 'tokens',
  entities: 'planted names and numbers',
  labels: 'labels',
};

export const goals: Readonly<Record<LeakKind, Goal>> = {
  tokens: { most: 0.3, points: 3 },
  entities: { most: 0.05, points: 3 },
  labels: { most: 0.6, points: 1 },
};

/** Whether a goal is met, and by which row. */
export interface GoalResult extends Goal {
  readonly kind: LeakKind;
  /** The row with the least leak within the tolerance; null: no row is within it, or known. */
  readonly row: number | null;
  readonly met: boolean;
  readonly says: string;
}

export interface Recommendation {
  readonly goals: readonly GoalResult[];
  /** The row that meets the most goals within all their tolerances; null: none meets any. */
  readonly row: number | null;
  readonly says: string;
}

/** @param maxLossPoints In place of each goal's own tolerance */
export function recommend(rows: readonly PrivacyRow[], maxLossPoints?: number): Recommendation {
  const results = leakKinds.map((kind) =>
    goalResult(rows, kind, { ...goals[kind], ...(maxLossPoints === undefined ? {} : { points: maxLossPoints }) }),
  );
  const met = (row: PrivacyRow): readonly GoalResult[] => results.filter((goal) => meets(row, goal.kind, goal));
  const order = rows.map((row, index) => ({ index, row, count: met(row).length })).filter(({ count }) => count > 0);
  // Of equals the one that costs the task least.
  order.sort((a, b) => b.count - a.count || lossPoints(a.row) - lossPoints(b.row));
  const best = order[0];
  const known = results.filter(({ row }) => row !== null).length;
  if (best === undefined)
    return {
      goals: results,
      row: null,
      says: 'No setting meets a goal within the tolerance. What a frozen backbone can read, its owner can read: against a vendor who looks, choose one that you trust, or whose code is attested.',
    };
  const kinds = met(best.row).map(({ kind }) => leakNames[kind]);
  const all = best.count === known ? 'It meets every goal' : `No setting meets every goal; it meets that for ${kinds.join(' and ')}`;
  return { goals: results, row: best.index, says: `${rowName(best.row)}, for ${points(lossPoints(best.row))}. ${all}.` };
}

function meets(row: PrivacyRow, kind: LeakKind, { most, points: tolerance }: Goal): boolean {
  const leak = row.leaks[kind];
  return leak !== null && leak.value <= most && lossPoints(row) <= tolerance + ROUNDING;
}

/** Shares of examples are not exact in floating point. */
const ROUNDING = 1e-9;

function goalResult(rows: readonly PrivacyRow[], kind: LeakKind, goal: Goal): GoalResult {
  const known = rows.flatMap((row, index) =>
    row.leaks[kind] === null ? [] : [{ row, index, leak: row.leaks[kind].value, lost: lossPoints(row) }],
  );
  const within = known.filter(({ lost }) => lost <= goal.points + ROUNDING).sort((a, b) => a.leak - b.leak || a.lost - b.lost);
  const low = known.filter(({ leak }) => leak <= goal.most).sort((a, b) => a.lost - b.lost);
  const [best, cheapest] = [within[0], low[0]];
  const wanted = `${leakNames[kind]}: at most ${percent(goal.most)} for at most ${points(goal.points)}`;
  const shown = (one: (typeof known)[number]): string =>
    `${rowName(one.row)}: ${percent(one.leak)} (${one.row.leaks[kind]!.attacker}) for ${points(one.lost)}`;
  const met = best !== undefined && best.leak <= goal.most;
  const says = met
    ? `met by ${shown(best)}`
    : known.length === 0
      ? 'not known: no attacker could run'
      : [
          'not met',
          best === undefined ? 'no row costs as little' : `the least within the tolerance is ${shown(best)}`,
          cheapest === undefined ? 'no row leaks as little' : `the cheapest that leaks as little is ${shown(cheapest)}`,
        ].join('; ');
  return { ...goal, kind, row: best?.index ?? null, met, says: `${wanted}: ${says}` };
}

/** As `1.5 points`. */
export function points(value: number): string {
  const shown = figure(value, 1).replace(/^-0\.0$/, '0.0');
  return `${shown} ${shown === '1.0' ? 'point' : 'points'}`;
}
