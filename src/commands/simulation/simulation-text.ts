/** A simulation as text: one line per version while it runs, curves and tables at its end. */

import { sparkline } from '../../../clients/typescript/cli/sparkline.js';
import { byteText } from '../../files/byte-text.js';
import type { VersionMetrics } from '../../protocol/federation/chain.js';
import type { SimulationPoint, SimulationSummary } from './simulation-summary.js';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Metrics that have a curve, and their formats. */
const curves: readonly {
  readonly name: string;
  readonly of: (metrics: VersionMetrics) => number;
  readonly write: (value: number) => string;
}[] = [
  { name: 'test loss', of: ({ loss }) => loss, write: (loss) => loss.toFixed(4) },
  { name: 'token accuracy', of: ({ accuracy }) => accuracy, write: percent },
  { name: 'exact answers', of: ({ exactMatch }) => exactMatch, write: percent },
];

/** @param progress Released rounds in all, and seconds so far: for the time that is left. */
export function pointLine(point: SimulationPoint, { total, seconds }: { readonly total: number; readonly seconds: number }): string {
  const { version, round, participants, vanished, test, promoted, coordinator, gateway, privacy } = point;
  const left = version === 0 ? '' : `  ETA ${Math.round((seconds / version) * Math.max(0, total - version))} s`;
  const lost = vanished === 0 ? '' : `, ${vanished} lost`;
  const who = version === 0 ? 'before training' : `round ${round}: ${participants} in the sum${lost}${promoted ? '' : ', rejected'}`;
  const metrics = test === null ? 'not measured' : curves.map(({ name, of, write }) => `${name} ${write(of(test))}`).join('  ');
  const bytes = `up ${byteText(coordinator.up)} + ${byteText(gateway.up)}  down ${byteText(coordinator.down)} + ${byteText(gateway.down)}`;
  const spent = privacy === null ? '' : `  epsilon ${privacy.epsilon.toFixed(2)}`;
  return `version ${version}/${total}  ${who}  ${metrics}  ${version === 0 ? '' : bytes}${spent}${left}`.trimEnd();
}

/** @param options Whether the terminal shows more than ASCII. */
export function summaryLines(summary: SimulationSummary, options: { readonly unicode: boolean }): readonly string[] {
  const { points, participants, split, dropout, released, aborted, seconds, testExamples, stopped } = summary;
  const measured = points.flatMap(({ test }) => (test === null ? [] : [test]));
  const rounds = Math.max(1, points.filter(({ version }) => version > 0).length);
  const sum = (of: (point: SimulationPoint) => number): number =>
    points.reduce((all, point) => all + (point.version > 0 ? of(point) : 0), 0);
  const each = (bytes: number): string => byteText(Math.round(bytes / rounds / participants.length));
  const ups = participants.map(({ up }) => up);
  const privacy = points.at(-1)?.privacy ?? null;
  return [
    '',
    `${participants.length} participants, ${split}${dropout > 0 ? `, ${percent(dropout)} lost in a round` : ''}; ${released} rounds released, ${aborted} aborted, in ${seconds.toFixed(1)} s (${stopped})`,
    `common test: ${testExamples} examples`,
    '',
    ...curves.map(({ name, of, write }) => {
      const values = measured.map(of);
      const [first, last] = [values[0], values.at(-1)];
      const ends = first === undefined || last === undefined ? '' : `${write(first)} -> ${write(last)}`;
      return `${name.padEnd(16)} ${sparkline(values, { width: 40, unicode: options.unicode })}  ${ends}`;
    }),
    '',
    `bytes of a participant in a round: ${each(sum(({ coordinator }) => coordinator.up))} to the coordinator, ${each(sum(({ coordinator }) => coordinator.down))} from it;`,
    `  ${each(sum(({ gateway }) => gateway.up))} to the gateway, ${each(sum(({ gateway }) => gateway.down))} from it (the common test included)`,
    `to the coordinator in all: ${byteText(Math.min(...ups))} to ${byteText(Math.max(...ups))} a participant`,
    ...(privacy === null
      ? []
      : [
          `privacy spent: unit ${privacy.unit}, epsilon ${privacy.epsilon.toFixed(3)}, delta ${privacy.delta}, ${privacy.rounds} rounds, sampling ${privacy.sampling}`,
        ]),
    `memory of the process: ${points.map(({ rssBytes }) => byteText(rssBytes)).at(-1) ?? 'unknown'}, at most ${byteText(Math.max(0, ...points.map(({ rssBytes }) => rssBytes)))}`,
  ];
}
