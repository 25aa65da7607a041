/** What a run costs at the gateway, before and after it. */
import { byteText } from '../../../../src/files/byte-text.js';
import type { PriceList } from '../../../../src/protocol/metering/prices.js';
import { type ChargedWork, costText } from '../../connection/charged-work.js';
import { labelled } from '../text-layout.js';

/** The work of a run or of this start of it, and its price where the vendor states one. */
export function chargedText(work: ChargedWork, prices: PriceList | undefined): string {
  const { forward, backward, bytesIn, bytesOut } = work;
  const rows = `${forward.toLocaleString('en')} tokens forward, ${backward.toLocaleString('en')} backward`;
  return `${rows}, ${byteText(bytesIn + bytesOut)}; ${costText(work, prices) ?? 'the vendor states no prices'}`;
}

/** What `--dry-run` says. */
export function forecastLines(totalSteps: number, work: ChargedWork, prices: PriceList | undefined): readonly string[] {
  const { bytesIn, bytesOut } = work;
  return [
    `Dry run: nothing was trained.`,
    labelled('steps', totalSteps.toLocaleString('en')),
    labelled('charged', chargedText(work, prices)),
    labelled('traffic', `sends ${byteText(bytesIn)}, receives ${byteText(bytesOut)}`),
  ];
}
