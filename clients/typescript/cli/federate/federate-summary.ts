/** What `federate` says at its end. */

import { join } from 'node:path';
import { byteText } from '../../../../src/files/byte-text.js';
import type { WireCounters } from '../../connection/connect.js';
import type { ParticipantSummary } from '../../federation/participant-events.js';
import { sparkline } from '../sparkline.js';
import { labelled, percent } from '../text-layout.js';
import type { FederateFlags } from './federate-options.js';

const CURVE_WIDTH = 40;

export interface SummaryContext {
  readonly counters: WireCounters;
  /** Of privacy. */
  readonly statement: string | undefined;
  /** Flags of the connection to the gateway, each with a blank before it. */
  readonly connection: string;
  readonly unicode: boolean;
}

export function federateSummaryLines(
  { stopped, rounds, satOut, version, bytesUp, bytesDown, measured }: ParticipantSummary,
  flags: Pick<FederateFlags, 'stateDir'>,
  { counters, statement, connection, unicode }: SummaryContext,
): readonly string[] {
  const ends = {
    finished: 'The federation is finished',
    rounds: 'Done',
    cancelled: 'Stopped; the same command goes on where this one was',
  } as const;
  const lines = [`${ends[stopped]}: ${rounds} aggregates with this member's update, ${satOut} rounds sat out.`];
  lines.push(
    labelled(
      'sent',
      `${byteText(bytesUp)} to the coordinator (${byteText(bytesDown)} back), ${byteText(counters.bytesUp)} to the gateway (${byteText(counters.bytesDown)} back)`,
    ),
  );
  if (measured.length > 0) {
    const losses = measured.map(({ loss }) => loss);
    const last = measured.at(-1)!;
    lines.push(
      labelled(
        'held-out loss',
        `${losses[0]!.toFixed(4)} ${sparkline(losses, { width: CURVE_WIDTH, unicode })} ${last.loss.toFixed(4)}, accuracy ${percent(last.accuracy)}`,
      ),
    );
  }
  if (statement !== undefined) lines.push(labelled('privacy', `${statement}, by this member's own account`));
  if (version !== undefined) {
    const adapter = join(flags.stateDir, 'adapter');
    lines.push(labelled('adapter', `${adapter} (version ${version})`));
    lines.push(labelled('try it', `cutlayer client generate --adapter ${adapter} --prompt "..."${connection}`));
  }
  return lines;
}
