/** The registry of versions: which one is promoted, and the status of the others. */

import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import type { BroadcastContent } from '../../protocol/federation/chain.js';
import { metricsSchema } from '../../protocol/federation/chain.js';
import type { Comparison } from '../../protocol/federation/promotion.js';
import type { Transaction } from '../tables/database.js';
import type { VersionSummary } from '../tables/versions.js';

/** Earlier versions with kept parameters, beside the first, the promoted and the candidate. */
const KEPT_VERSIONS = 16;

const detailsSchema = z.object({
  participants: z.int().min(0),
  current: metricsSchema.nullable(),
  earlier: metricsSchema.nullable(),
});

/** The details of a version's row. */
export type VersionDetails = z.output<typeof detailsSchema>;

/** @throws CutlayerError STORE_CORRUPT */
export function versionDetails({ version, details }: Pick<VersionSummary, 'version' | 'details'>): VersionDetails {
  const parsed = detailsSchema.safeParse(details);
  if (!parsed.success)
    throw new CutlayerError('STORE_CORRUPT', `version ${version}: its details are not those of a version; restore a backup`);
  return parsed.data;
}

/** Records an evaluation's metrics of both versions. */
export async function recordMetrics(
  { versions }: Transaction,
  federation: string,
  numbers: { readonly promoted: number; readonly candidate: number },
  evaluation: Comparison,
): Promise<void> {
  for (const which of ['promoted', 'candidate'] as const) {
    const row = await versions.read(federation, numbers[which]);
    if (row !== undefined) await versions.setStatus(federation, row.version, row.status, { ...versionDetails(row), ...evaluation[which] });
  }
}

/** Promotes a version in place of the previous one. */
export async function promoteVersion({ versions }: Transaction, federation: string, version: number, previous: number): Promise<void> {
  await versions.setStatus(federation, previous, 'superseded');
  await versions.setStatus(federation, version, 'promoted');
}

/** Rolls back the promoted version, and every one promoted since the target. */
export async function rollBackVersions({ versions }: Transaction, federation: string, target: number, from: number): Promise<void> {
  for (const { version, status } of await versions.list(federation)) {
    if (version === from || (version > target && status === 'superseded')) await versions.setStatus(federation, version, 'rolledBack');
  }
  await versions.setStatus(federation, target, 'promoted');
}

/** @throws CutlayerError INVALID_ARGUMENT when the version cannot be a target, NOT_FOUND */
export async function requireRollbackTarget({ versions }: Transaction, federation: string, target: number): Promise<void> {
  const row = await versions.read(federation, target);
  if (row === undefined) throw new CutlayerError('NOT_FOUND', `version ${target}: the federation has none of this number`);
  if (row.status !== 'superseded' && row.status !== 'rolledBack')
    throw new CutlayerError('INVALID_ARGUMENT', `version ${target}: expected one that was promoted before, got one that is ${row.status}`);
  if (row.parameters === null)
    throw new CutlayerError('INVALID_ARGUMENT', `version ${target}: its parameters are no longer kept; choose a newer one`);
}

/** Drops parameters and optimizer state that no rollback can need. */
export async function pruneVersions(
  { versions, serverState }: Transaction,
  federation: string,
  inUse: readonly (number | null)[],
): Promise<void> {
  const all = await versions.list(federation);
  const once = all.filter(({ status }) => status === 'superseded' || status === 'rolledBack').map(({ version }) => version);
  const keep = [0, ...inUse.filter((version) => version !== null), ...once.slice(-KEPT_VERSIONS)];
  await versions.dropParameters(federation, { keep });
  await serverState.dropExcept(federation, { keep });
}

/** The broadcast of an evaluation's result. */
export function judgement(
  kind: 'promote' | 'reject',
  version: number,
  round: number | null,
  evaluation: Comparison | null,
  privacy: Extract<BroadcastContent, { kind: 'promote' | 'reject' }>['privacy'],
): BroadcastContent {
  const { promoted = null, candidate = null, participants = [], votes } = evaluation ?? {};
  return { kind, version, round, promoted, candidate, participants: [...participants], votes, privacy };
}
