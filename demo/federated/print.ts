/** Prints a run's result for a terminal. */

import { byteText } from '../../src/files/byte-text.js';
import { count, percent } from '../../src/server/html/page.js';
import { holdingLines } from '../holding-text.js';
import { siteNames } from './settings.js';
import type { FederatedSummary } from './summary.js';

/** Writes the tables to standard output. */
export function printFederated(summary: FederatedSummary): void {
  process.stdout.write(`${federatedLines(summary).join('\n')}\n`);
}

/** The tables as lines. */
export function federatedLines(summary: FederatedSummary): readonly string[] {
  const { local, federated, pooled, before, rows, settings, search, lost, bytes } = summary;
  const line = (name: string, ...shares: readonly number[]): string =>
    `${name.padEnd(34)}${shares.map((share) => cell(percent(share))).join('')}`;
  const steps = `${settings.rounds} x ${settings.steps} steps of ${settings.batch}`;
  const total = summary.rounds.reduce((sum, { participants }) => sum + participants.length, 0);
  return [
    '',
    `exact answers, ${rows.test} notes of all sites and kinds of work (${steps} each; before training ${percent(before)}):`,
    '',
    `${''.padEnd(34)}${['alone', 'federated', 'pooled'].map(cell).join('')}`,
    ...siteNames.map((site) => line(`common test, ${site}`, local[site].common, federated.common, pooled.common)),
    ...siteNames.map((site) =>
      line(`own test (${rows.ownTest} notes), ${site}`, local[site].own[site], federated.own[site], pooled.own[site]),
    ),
    '',
    `rounds                ${summary.rounds.length} released, ${summary.aborted} aborted; ${lost.site} was killed in round ${lost.round} after its shares were out,`,
    `                      which was summed without it, and ${lost.back === null ? 'did not come back in time' : `came back in round ${lost.back}`}`,
    `bytes of rounds       ${byteText(bytes.toCoordinator)} to the coordinator (${byteText(bytes.toCoordinator / Math.max(1, total))} for each site and round), ${byteText(bytes.fromCoordinator)} from it`,
    `secrecy               ${search.updates} updates, as float32 and in fixed point (${count(search.windows)} windows of 4 numbers), looked for in`,
    `                      ${byteText(search.bytes)}: all files of the coordinator at ${search.snapshots} moments`,
    `                      ${search.matches.length === 0 ? 'none of them is there' : `FOUND: ${search.matches.join('; ')}`}; planted in a copy, they are ${search.control ? 'found' : 'NOT FOUND'}`,
    `                      their mean is the step between the versions to ${search.meanError.toExponential(1)}: they are the real ones`,
    `time                  ${summary.seconds.toFixed(0)} s, comparison included`,
    '',
    ...summary.holdings.flatMap((held) => holdingLines(held).map((line) => `${`files of ${held.party}`.padEnd(34)}${line}`)),
  ];
}

function cell(text: string): string {
  return text.padStart(12);
}
