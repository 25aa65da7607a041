/** What `federate` says at its end. */
import { join } from 'node:path';
import type { WireCounters } from '../../connection/connect.js';
import type { ParticipantSummary } from '../../federation/participant-events.js';
import { formatBytes } from '../progress.js';
import { sparkline } from '../sparkline.js';
import type { FederateFlags } from './federate-options.js';

const CURVE_WIDTH = 40;

export function federateSummaryLines(
  { stopped, rounds, satOut, version, bytesUp, bytesDown, measured }: ParticipantSummary,
  flags: Pick<FederateFlags, 'stateDir' | 'bundle' | 'gateway'>,
  { counters, statement, unicode }: { readonly counters: WireCounters; readonly statement: string | undefined; readonly unicode: boolean },
): readonly string[] {
  const ends = {
    finished: 'The federation is finished',
    rounds: 'Done',
    cancelled: 'Stopped; the same command goes on where this one was',
  } as const;
  const lines = [`${ends[stopped]}: ${rounds} aggregates with this member's update, ${satOut} rounds sat out.`];
  lines.push(
    row(
      'sent',
      `${formatBytes(bytesUp)} to the coordinator (${formatBytes(bytesDown)} back), ${formatBytes(counters.bytesUp)} to the gateway (${formatBytes(counters.bytesDown)} back)`,
    ),
  );
  if (measured.length > 0) {
    const losses = measured.map(({ loss }) => loss);
    const last = measured.at(-1)!;
    lines.push(
      row(
        'held-out loss',
        `${losses[0]!.toFixed(4)} ${sparkline(losses, { width: CURVE_WIDTH, unicode })} ${last.loss.toFixed(4)}, accuracy ${(100 * last.accuracy).toFixed(1)} %`,
      ),
    );
  }
  if (statement !== undefined) lines.push(row('privacy', `${statement}, by this member's own account`));
  if (version !== undefined) {
    const adapter = join(flags.stateDir, 'adapter');
    lines.push(row('adapter', `${adapter} (version ${version})`));
    lines.push(
      row('try it', `cutlayer client generate --adapter ${adapter} --prompt "..." --bundle ${flags.bundle} --gateway ${flags.gateway}`),
    );
  }
  return lines;
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(16)} ${text}`;
}
