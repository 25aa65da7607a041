/** The client's own count of the work that a gateway charges (docs/metering.md). */
import { costOf, type PriceList } from '../../../src/protocol/metering/prices.js';

/**
 * Work of steps, as the gateway's ledger counts it: rows, and tensor bytes as the gateway sees
 * them.
 */
export interface ChargedWork {
  readonly forward: number;
  readonly backward: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** No work. */
export const noWork: ChargedWork = { forward: 0, backward: 0, bytesIn: 0, bytesOut: 0 };

/** The sum of two counts; the second one `times` times. */
export function addWork(sum: ChargedWork, work: Partial<ChargedWork>, times = 1): ChargedWork {
  const added = (name: keyof ChargedWork): number => sum[name] + times * (work[name] ?? 0);
  return { forward: added('forward'), backward: added('backward'), bytesIn: added('bytesIn'), bytesOut: added('bytesOut') };
}

/** What work costs, such as `EUR 0.012345`; undefined where the vendor states no prices. */
export function costText(work: ChargedWork, prices: PriceList | undefined): string | undefined {
  if (prices === undefined) return undefined;
  return `${prices.currency} ${costOf({ ...work, decoded: 0, cached: 0 }, prices)}`;
}
