/** The founder's report of a federation. */

import type { FederationReport, RoundReport, VersionReport } from './coordinator-api.js';
import type { DurableFederation } from './rounds/durable-federation.js';
import { privacySpent } from './rounds/privacy-ledger.js';
import type { RoundPolicy } from './rounds/round-policy.js';
import { answeredMembers, awaitedMembers, cohortOf } from './rounds/round-stages.js';
import type { RoundState } from './rounds/round-state.js';
import { versionDetails } from './rounds/version-registry.js';
import type { Transaction } from './tables/database.js';

/** Makes the report. */
export async function federationReport(transaction: Transaction, federation: DurableFederation): Promise<FederationReport> {
  const { memory, head, context, bytes } = federation;
  const versions = (await transaction.versions.list(context.id)).map(
    ({ details, createdAt, ...row }): VersionReport => ({ ...row, ...versionDetails({ version: row.version, details }), at: createdAt }),
  );
  return {
    federation: context.id,
    name: context.manifest.settings.name,
    state: memory.status,
    reason: memory.reason,
    round: memory.round === null ? null : roundReport(memory.round, context.policy, context.now()),
    versions,
    released: memory.released,
    aborted: memory.aborted,
    privacy: await privacySpent(transaction, context),
    bytesIn: bytes.received,
    bytesOut: bytes.sent,
    broadcasts: head.seq + 1,
    chainHead: head.hash,
    orders: memory.orders,
    recent: memory.recent,
    members: context.policy.members.map((name) => ({ name, seenAt: seenAt(federation, name) })),
  };
}

/** A member whose call waits is there. */
function seenAt({ waiting, seen, context }: DurableFederation, name: string): number | null {
  return waiting.has(name) ? context.now() : seen.at(name);
}

function roundReport(round: RoundState, policy: RoundPolicy, now: number): RoundReport {
  const { stage, deadline, purpose, began } = round;
  // Members do not know the coordinator's own stage: to them the last one is just full.
  const last = policy.secure
    ? ({ stage: 'unmasking', answered: round.unmasked } as const)
    : ({ stage: 'submitting', answered: round.submitted } as const);
  const shown = stage === 'releasing' ? last : { stage, answered: answeredMembers(round) };
  return {
    round: round.round,
    purpose,
    ...shown,
    remainingMs: deadline === null ? 0 : Math.max(1, deadline - now),
    cohort: cohortOf(round),
    awaited: awaitedMembers(round, policy),
    stageMs: Math.max(0, now - began),
  };
}
