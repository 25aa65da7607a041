/** A federation's report as a message, and back. */

import { CutlayerError } from '../../errors.js';
import { enumName, wirePurposes, wireStages } from '../../protocol/wire/federation-names.js';
import type { FederationStatus, FederationStatus__Output } from '../../protocol/wire/generated/cutlayer/v1/FederationStatus.js';
import type { RoundEnd, RoundEnd__Output } from '../../protocol/wire/generated/cutlayer/v1/RoundEnd.js';
import type { RoundStatus, RoundStatus__Output } from '../../protocol/wire/generated/cutlayer/v1/RoundStatus.js';
import type { VersionStatus, VersionStatus__Output } from '../../protocol/wire/generated/cutlayer/v1/VersionStatus.js';
import type { FederationReport, FederationState, PrivacyReport, RoundEnding, RoundReport, VersionReport } from '../coordinator-api.js';

/** The message of a report. */
export function reportMessage(report: FederationReport): FederationStatus {
  return {
    ...report,
    round: report.round === null ? null : roundMessage(report.round),
    versions: report.versions.map(versionMessage),
    recent: report.recent.map(endingMessage),
    members: report.members.map(({ name, seenAt }) => ({ name, seenMs: seenAt ?? 0 })),
  };
}

/** The report of a message. @throws CutlayerError INVALID_ARGUMENT for an unknown value */
export function reportOf(message: FederationStatus__Output): FederationReport {
  const { privacy, round } = message;
  return {
    ...message,
    state: oneOf(states, message.state),
    round: round === null ? null : roundOf(round),
    versions: message.versions.map(versionOf),
    // Only client-level privacy has a ledger at the coordinator.
    privacy: privacy === null ? null : ({ ...privacy, unit: 'client' } satisfies PrivacyReport),
    recent: message.recent.map(endingOf),
    members: message.members.map(({ name, seenMs }) => ({ name, seenAt: seenMs === 0 ? null : seenMs })),
  };
}

const states = ['created', 'running', 'paused', 'finished'] as const satisfies readonly FederationState[];
const versionStates = [
  'candidate',
  'promoted',
  'rejected',
  'superseded',
  'rolledBack',
] as const satisfies readonly VersionReport['status'][];

function oneOf<T extends string>(known: readonly T[], text: string): T {
  const found = known.find((word) => word === text);
  if (found !== undefined) return found;
  throw new CutlayerError(
    'INVALID_ARGUMENT',
    `the coordinator answered ${text}, which this version does not know; expected ${known.join(', ')}`,
  );
}

function known<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new CutlayerError('INVALID_ARGUMENT', `the coordinator answered a ${what} that this version does not know`);
}

function roundMessage({ purpose, stage, remainingMs, stageMs, cohort, answered, awaited, ...round }: RoundReport): RoundStatus {
  return {
    ...round,
    purpose: wirePurposes[purpose],
    stage: wireStages[stage],
    remainingMs: Math.max(0, Math.round(remainingMs)),
    cohort: [...cohort],
    stageMs: Math.round(stageMs),
    answered: [...answered],
    awaited: [...awaited],
  };
}

function roundOf({ purpose, stage, ...round }: RoundStatus__Output): RoundReport {
  return { ...round, purpose: known(enumName(wirePurposes, purpose), 'purpose'), stage: known(enumName(wireStages, stage), 'stage') };
}

function endingMessage({ round, purpose, version, aborted, at, cohort, lost }: RoundEnding): RoundEnd {
  return { round, purpose: wirePurposes[purpose], version: version ?? 0, aborted: aborted ?? '', atMs: at, cohort, lost: [...lost] };
}

function endingOf({ round, purpose, version, aborted, atMs, cohort, lost }: RoundEnd__Output): RoundEnding {
  return {
    round,
    purpose: known(enumName(wirePurposes, purpose), 'purpose'),
    version: version === 0 ? null : version,
    aborted: aborted === '' ? null : aborted,
    at: atMs,
    cohort,
    lost,
  };
}

function versionMessage({ parent, round, at, ...version }: VersionReport): VersionStatus {
  return { ...version, parent: parent ?? 0, round: round ?? 0, atMs: at };
}

function versionOf({ parent, round, status, atMs, ...version }: VersionStatus__Output): VersionReport {
  return {
    ...version,
    // Version 0 is the initial adapter, which has no parent and no round; every other has both.
    parent: version.version === 0 ? null : parent,
    round: round === 0 ? null : round,
    status: oneOf(versionStates, status),
    at: atMs,
  };
}
