/** A federation's report for people. */

import {
  type FederationReport,
  type MemberReport,
  type RoundReport,
  silentFor,
  type VersionReport,
} from '../../coordinator/coordinator-api.js';
import { byteText } from '../../files/byte-text.js';
import type { VersionMetrics } from '../../protocol/federation/chain.js';
import type { RoundStage } from '../../protocol/federation/federation-api.js';

/** What members do in a stage. */
const doing: Readonly<Record<RoundStage, string>> = {
  enlisting: 'members enlist',
  sharing: 'members share keys',
  submitting: 'members work and submit',
  confirming: 'members confirm who is left',
  unmasking: 'members unmask the sum',
};

/** Members that one line names. */
const MOST_NAMED = 20;

/**
 * All that `coordinator status` shows of one federation, as lines that end without spaces.
 * @param now milliseconds since 1970
 */
export function reportLines(report: FederationReport, now: number): readonly string[] {
  const { name, federation, state, reason, released, aborted, privacy, bytesIn, bytesOut, round, recent } = report;
  const [newest] = recent;
  const facts: readonly (readonly [string, string] | undefined)[] = [
    ['federation', federation],
    ['state', reason === '' ? state : `${state}: ${reason}`],
    round === null ? undefined : ['round', roundText(round)],
    round === null ? undefined : ['members', membersText(round)],
    round === null || round.awaited.length === 0 ? undefined : ['waits for', awaitedText(round, report.members, now)],
    report.members.length === 0 ? undefined : ['last seen', seenText(report.members, now)],
    ['rounds', `${released} released, ${aborted} aborted${newest?.aborted ? `; round ${newest.round}: ${newest.aborted}` : ''}`],
    privacy === null
      ? undefined
      : [
          'privacy',
          `(${privacy.unit}, epsilon ${figure(privacy.epsilon)} of ${figure(privacy.maxEpsilon)}, delta ${privacy.delta}) after ${plural(privacy.rounds, 'round')}, sampling ${privacy.sampling}`,
        ],
    ['traffic', `${byteText(bytesIn)} in, ${byteText(bytesOut)} out`],
  ];
  const lines = facts.flatMap((fact) => (fact === undefined ? [] : [`  ${fact[0].padEnd(10)}  ${fact[1]}`]));
  return [name, ...lines, ...table(report.versions), ''];
}

function roundText({ round, purpose, stage, remainingMs }: RoundReport): string {
  const left = remainingMs > 0 ? `, ${duration(remainingMs)} left` : '';
  return `${round} (${purpose}): ${doing[stage]}${left}`;
}

/** The members of the round; a mark shows an answer. */
function membersText({ cohort, answered }: RoundReport): string {
  const everybody = [...new Set([...cohort, ...answered])].sort();
  if (everybody.length === 0) return 'none yet';
  const shown = everybody.slice(0, MOST_NAMED).map((member) => (answered.includes(member) ? `${member} +` : member));
  const more = everybody.length - shown.length;
  return `${answered.length} of ${everybody.length} have answered: ${shown.join(', ')}${more > 0 ? `, and ${more} more` : ''}`;
}

/** The members that the stage waits for, since when, and what a founder can do about it. */
function awaitedText({ awaited, stageMs }: RoundReport, members: readonly MemberReport[], now: number): string {
  const silent = silentMembers(members, now).filter(({ name }) => awaited.includes(name));
  const [first] = silent;
  const advice = first === undefined ? '' : `; cutlayer coordinator skip ${first.name} lets the round go on without it`;
  const known = new Map(members.map((member) => [member.name, member]));
  return `${listed(awaited.map((name) => (known.has(name) ? seen(known.get(name)!, now) : name)))}; for ${duration(stageMs)}${advice}`;
}

/** Those that were silent longest come first. */
function seenText(members: readonly MemberReport[], now: number): string {
  const sorted = [...members].sort((a, b) => (a.seenAt ?? 0) - (b.seenAt ?? 0));
  return listed(sorted.map((member) => seen(member, now)));
}

function silentMembers(members: readonly MemberReport[], now: number): readonly MemberReport[] {
  return members.filter((member) => silentFor(member, now) !== undefined);
}

function seen(member: MemberReport, now: number): string {
  if (member.seenAt === null) return `${member.name} never`;
  const silent = silentFor(member, now);
  return silent === undefined ? `${member.name} now` : `${member.name} ${duration(silent)} ago`;
}

function listed(texts: readonly string[]): string {
  const more = texts.length - MOST_NAMED;
  return `${texts.slice(0, MOST_NAMED).join(', ')}${more > 0 ? `, and ${more} more` : ''}`;
}

/** Older versions than these are left to --json. */
const MAX_VERSIONS = 20;

function table(versions: readonly VersionReport[]): readonly string[] {
  if (versions.length === 0) return [];
  const head = ['version', 'from', 'round', 'members', 'status', 'loss', 'accuracy', 'exact', 'earlier loss', 'when'];
  const shown = versions.slice(-MAX_VERSIONS);
  const rows = shown.map(({ version, parent, round, participants, status, current, earlier, at }) => [
    `${version}`,
    `${parent ?? '-'}`,
    `${round ?? '-'}`,
    `${participants}`,
    status,
    ...metricCells(current),
    earlier === null ? '-' : earlier.loss.toFixed(4),
    new Date(at).toISOString().slice(0, 19).replace('T', ' '),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string => `  ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd();
  const left = versions.length - shown.length;
  return ['', line(head), ...(left > 0 ? [`  ... ${left} earlier`] : []), ...rows.map(line)];
}

function metricCells(metrics: VersionMetrics | null): readonly string[] {
  if (metrics === null) return ['-', '-', '-'];
  return [metrics.loss.toFixed(4), `${(100 * metrics.accuracy).toFixed(1)}%`, `${(100 * metrics.exactMatch).toFixed(1)}%`];
}

const figure = (value: number): string => `${Number(value.toFixed(3))}`;
const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
