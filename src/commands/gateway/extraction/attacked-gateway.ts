/** A real gateway on loopback, with TLS and an audit log, and the connection of one tenant. */
import { readEntry } from '../../../server/audit/chain.js';
import { lastLines } from '../../../server/audit/last-lines.js';
import { defaultAuditDir } from '../../../server/audit/open-audit.js';
import { type OwnGateway, openOwnGateway } from '../../own-gateway.js';

/** How it is started. */
export interface AttackedGatewayOptions {
  readonly backbone: string;
  /** Its state. */
  readonly stateDir: string;
  /** Its file of policies. */
  readonly protection?: string | undefined;
  readonly tenant: string;
  readonly threads?: number | undefined;
  readonly signer?: string | undefined;
}

/** Entries of protection in a gateway's audit log. */
export interface ProtectionEntries {
  readonly alarms: readonly string[];
  readonly refusals: readonly string[];
}

/** Looked at from its end. */
const MOST_ENTRIES = 10_000;

/** @throws CutlayerError of artifact, policy file or port */
export function openAttackedGateway({ tenant, ...options }: AttackedGatewayOptions): Promise<OwnGateway> {
  return openOwnGateway({ ...options, decodeMemory: 0 }, { tenant, scopes: ['model:read', 'infer'] });
}

/** What the audit log of a gateway says of a tenant's protection: the names of policies. */
export async function protectionEntries(stateDir: string, tenant: string): Promise<ProtectionEntries> {
  const place = defaultAuditDir(stateDir);
  const entries = (await lastLines(place, MOST_ENTRIES)).map((line) => readEntry(line, place));
  const of = (decision: string): string[] =>
    entries
      .filter((entry) => entry.event === 'alarm' && entry.tenant === tenant && entry.decision === decision)
      .map(({ policy }) => String(policy));
  return { alarms: of('alarm'), refusals: of('refused') };
}
