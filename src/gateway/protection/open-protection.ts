/** The protection of a gateway: policies from its file, evidence to its log. */
import { randomBytes } from 'node:crypto';
import type { BackboneManifest } from '../../artifacts/manifest.js';
import type { Audit } from '../../server/audit/event.js';
import type { Logger } from '../../server/observability/log.js';
import type { GaugeTable } from '../../server/observability/metrics.js';
import { RareLine } from '../../server/observability/rare-line.js';
import type { GatewayDatabase } from '../tables/database.js';
import { DayBudget } from '../tenants/day-budget.js';
import { dayLedger } from '../tenants/day-ledger.js';
import { embeddingRange } from './embedding-range.js';
import { noFile, type OwnPolicySource, Policies } from './policies.js';
import { noBounds, standardPolicy } from './policy.js';
import { readPolicies } from './policy-file.js';
import { Protection, type ProtectionStats } from './protection.js';
import type { ProtectionEvent } from './refusal.js';

/** What a gateway gives. */
export interface OpenProtection {
  /** Its file; undefined: the standard policy. */
  readonly protection?: string | undefined;
  /** No bound holds: each would remember something of what it has seen. */
  readonly keepNothing: boolean;
  /** What the rows of tenants name. */
  readonly rows: OwnPolicySource;
  readonly manifest: Pick<BackboneManifest, 'dims' | 'embeddingNorms'>;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Counts the rows of a day. */
  readonly database: GatewayDatabase;
  readonly audit: Audit;
}

/** A protection that can be closed. */
export interface OpenedProtection {
  readonly protection: Protection;
  readonly policies: Policies;
  /** Gives rows of the day back that were not spent. */
  close(): Promise<void>;
}

/** Refusals of one policy have a line at most this often. */
const LINE_EVERY_MS = 10_000;

/** Reads the policies. @throws CutlayerError NOT_FOUND, INVALID_CONFIG */
export async function openProtection(given: OpenProtection): Promise<OpenedProtection> {
  const { protection: file, rows, manifest, log, now, database, audit } = given;
  const { hiddenSize } = manifest.dims;
  const base = { standard: standardPolicy(hiddenSize), embedding: embeddingRange(manifest.embeddingNorms) };
  const policies = given.keepNothing
    ? new Policies({ standard: noBounds, embedding: {}, file: noFile, rows: { protectionOf: () => null } })
    : new Policies({ ...base, file: file === undefined ? noFile : await readPolicies(file, base), rows });
  if (given.keepNothing) log.warn('--keep-nothing: no bound of the protection holds, since each remembers something of the rows');
  const budget = new DayBudget(dayLedger(database, 'extraction'), now);
  const say = eventLog(log, now);
  const protection = new Protection({
    ...{ policies, hiddenSize, budget, now, random: randomBytes },
    onEvent(event) {
      say(event);
      // When entries cannot be written, the log of calls refuses service.
      audit.record('alarm', { ...event }).catch(() => undefined);
    },
  });
  return { protection, policies, close: () => budget.close() };
}

/** Writes events to a log; of each policy's refusals, one line in a while with the number. */
function eventLog(log: Logger, now: () => number): (event: ProtectionEvent) => void {
  const lines = new Map<string, RareLine>();
  return (event) => {
    const line = lines.get(event.policy) ?? new RareLine(LINE_EVERY_MS, now);
    lines.set(event.policy, line);
    const unsaid = event.decision === 'alarm' ? 0 : line.due();
    if (unsaid !== undefined) log.warn({ ...event, unsaid }, `protection: ${event.decision}`);
  };
}

/** Gauges by their names in the protection's statistics. */
export const protectionGauges = {
  protectionRefused: ['cutlayer_protection_refused', 'Calls that a protection policy refused.'],
  protectionAlarms: ['cutlayer_protection_alarms', 'Bounds of a protection policy that a tenant has come near, once a day.'],
  protectionTenants: ['cutlayer_protection_tenants', 'Tenants whose recent steps are remembered.'],
} as const satisfies GaugeTable<keyof ProtectionStats>;
