/** What a run costs at the gateway, before and after it. */
import { byteText } from '../../../../src/files/byte-text.js';
import type { PriceList } from '../../../../src/protocol/metering/prices.js';
import { type WireDType, wireBytes } from '../../../../src/protocol/wire/wire-dtype.js';
import { type ChargedWork, costText } from '../../connection/charged-work.js';
import type { ServedModel } from '../../connection/served-model.js';
import { labelled } from '../text-layout.js';

/** The work of a run or of this start of it, and its price where the vendor states one. */
export function chargedText(work: ChargedWork, prices: PriceList | undefined): string {
  const { forward, backward, bytesIn, bytesOut } = work;
  const rows = `${forward.toLocaleString('en')} tokens forward, ${backward.toLocaleString('en')} backward`;
  return `${rows}, ${byteText(bytesIn + bytesOut)}; ${costText(work, prices) ?? 'the vendor states no prices'}`;
}

/** What `--dry-run` says. */
export function forecastLines(
  totalSteps: number,
  work: ChargedWork,
  { prices, protection, dims }: Pick<ServedModel, 'prices' | 'protection' | 'dims'>,
  wireDType: WireDType,
): readonly string[] {
  const { bytesIn, bytesOut } = work;
  const answered = Math.ceil(bytesOut / wireBytes([1, dims.hiddenSize], wireDType));
  return [
    `Dry run: nothing was trained.`,
    labelled('steps', totalSteps.toLocaleString('en')),
    labelled('charged', chargedText(work, prices)),
    labelled('traffic', `sends ${byteText(bytesIn)}, receives ${byteText(bytesOut)}`),
    labelled('protection', answeredText(answered, protection.rowsPerDay)),
  ];
}

/** Whether the answers to a run fit into what the vendor allows in a day. */
export function answeredText(rows: number, rowsPerDay: number | undefined): string {
  const taken = `at most ${rows.toLocaleString('en')} rows answered`;
  if (rowsPerDay === undefined) return `${taken}; the vendor states no bound of a day`;
  const bound = `of the ${rowsPerDay.toLocaleString('en')} of a day (UTC)`;
  const days = Math.ceil(rows / rowsPerDay);
  if (days <= 1) return `${taken}, ${Math.ceil((100 * rows) / rowsPerDay)} % ${bound}: the run fits`;
  return `${taken}, more than fits ${bound}: the run needs ${days} days; train less, or ask the vendor for a higher bound`;
}
