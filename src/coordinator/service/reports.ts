/** A federation's report as the message that carries it, and back: what the coordinator's commands show is what it said. */

import { CutlayerError } from '../../errors.js';
import type { VersionMetrics } from '../../protocol/federation/chain.js';
import { purposeOf, stageOf, wirePurposes, wireStages } from '../../protocol/wire/federation-names.js';
import type { FederationStatus, FederationStatus__Output } from '../../protocol/wire/generated/cutlayer/v1/FederationStatus.js';
import type { Metrics, Metrics__Output } from '../../protocol/wire/generated/cutlayer/v1/Metrics.js';
import type { RoundEnd, RoundEnd__Output } from '../../protocol/wire/generated/cutlayer/v1/RoundEnd.js';
import type { RoundStatus, RoundStatus__Output } from '../../protocol/wire/generated/cutlayer/v1/RoundStatus.js';
import type { VersionStatus, VersionStatus__Output } from '../../protocol/wire/generated/cutlayer/v1/VersionStatus.js';
import type { FederationReport, FederationState, PrivacyReport, RoundEnding, RoundReport, VersionReport } from '../coordinator-api.js';

/** The message of a report. */
export function reportMessage(report: FederationReport): FederationStatus {
  const { federation, name, state, reason, released, aborted, privacy, bytesIn, bytesOut, broadcasts, chainHead } = report;
  return {
    federation,
    name,
    state,
    reason,
    released,
    aborted,
    privacy,
    bytesIn,
    bytesOut,
    broadcasts,
    chainHead,
    round: report.round === null ? null : roundMessage(report.round),
    versions: report.versions.map(versionMessage),
    recent: report.recent.map(endingMessage),
  };
}

/** The report of a message. @throws CutlayerError INTERNAL when the coordinator says what this version does not know */
export function reportOf(message: FederationStatus__Output): FederationReport {
  const { federation, name, reason, released, aborted, bytesIn, bytesOut, broadcasts, chainHead, privacy, round } = message;
  return {
    federation,
    name,
    state: oneOf(states, message.state),
    reason,
    round: round === null ? null : roundOf(round),
    versions: message.versions.map(versionOf),
    released,
    aborted,
    // Only client-level privacy has a ledger at the coordinator.
    privacy: privacy === null ? null : ({ ...privacy, unit: 'client' } satisfies PrivacyReport),
    bytesIn,
    bytesOut,
    broadcasts,
    chainHead,
    recent: message.recent.map(endingOf),
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
  throw new CutlayerError('INTERNAL', `the coordinator answered ${text}, which this version does not know; expected ${known.join(', ')}`);
}

function known<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new CutlayerError('INTERNAL', `the coordinator answered a ${what} that this version does not know`);
}

function roundMessage({ round, purpose, stage, remainingMs, cohort, answered }: RoundReport): RoundStatus {
  return {
    round,
    purpose: wirePurposes[purpose],
    stage: wireStages[stage],
    remainingMs: Math.max(0, Math.round(remainingMs)),
    cohort: [...cohort],
    answered: [...answered],
  };
}

function roundOf({ round, purpose, stage, remainingMs, cohort, answered }: RoundStatus__Output): RoundReport {
  return { round, purpose: known(purposeOf(purpose), 'purpose'), stage: known(stageOf(stage), 'stage'), remainingMs, cohort, answered };
}

function endingMessage({ round, purpose, version, aborted, at }: RoundEnding): RoundEnd {
  return { round, purpose: wirePurposes[purpose], version: version ?? 0, aborted: aborted ?? '', atMs: at };
}

function endingOf({ round, purpose, version, aborted, atMs }: RoundEnd__Output): RoundEnding {
  return {
    round,
    purpose: known(purposeOf(purpose), 'purpose'),
    version: version === 0 ? null : version,
    aborted: aborted === '' ? null : aborted,
    at: atMs,
  };
}

function versionMessage({ parent, round, current, earlier, at, ...version }: VersionReport): VersionStatus {
  return { ...version, parent: parent ?? 0, round: round ?? 0, current: metrics(current), earlier: metrics(earlier), atMs: at };
}

function versionOf({ version, parent, round, status, digest, participants, current, earlier, atMs }: VersionStatus__Output): VersionReport {
  return {
    version,
    // Version 0 is the initial adapter, which has no parent and no round; every other has both.
    parent: version === 0 ? null : parent,
    round: round === 0 ? null : round,
    status: oneOf(versionStates, status),
    digest,
    participants,
    current: metricsOf(current),
    earlier: metricsOf(earlier),
    at: atMs,
  };
}

const metrics = (value: VersionMetrics | null): Metrics | null => value;
const metricsOf = (message: Metrics__Output | null): VersionMetrics | null =>
  message === null ? null : { loss: message.loss, accuracy: message.accuracy, exactMatch: message.exactMatch };
