/** A real gateway on loopback, with TLS and an audit log, and the connection of one tenant. */
import { readFile } from 'node:fs/promises';
import { type Connection, connect } from '../../../../clients/typescript/connection/connect.js';
import { parseGatewayConfig } from '../../../gateway/config.js';
import { runGateway } from '../../../gateway/run.js';
import { readEntry } from '../../../server/audit/chain.js';
import { lastLines } from '../../../server/audit/last-lines.js';
import { defaultAuditDir } from '../../../server/audit/open-audit.js';
import { openIdentity } from '../../../server/auth/identity.js';
import { issueToken } from '../../../server/auth/issuer.js';
import { KeyRing } from '../../../server/auth/key-ring.js';
import { createLogger } from '../../../server/observability/log.js';

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

/** A tenant's access to a gateway. */
export interface AttackedGateway {
  readonly connection: Connection;
  close(): Promise<void>;
}

/** Entries of protection in a gateway's audit log. */
export interface ProtectionEntries {
  readonly alarms: readonly string[];
  readonly refusals: readonly string[];
}

/** Longer than any audit. */
const TOKEN_SECONDS = 30 * 24 * 3600;
/** Looked at from its end. */
const MOST_ENTRIES = 10_000;

/** @throws CutlayerError of artifact, policy file or port */
export async function openAttackedGateway(options: AttackedGatewayOptions): Promise<AttackedGateway> {
  const { stateDir, tenant } = options;
  const given = Object.entries({ protection: options.protection, threads: options.threads, signer: options.signer });
  const config = parseGatewayConfig({
    backbone: options.backbone,
    stateDir,
    listen: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    decodeMemory: 0,
    logLevel: 'silent',
    grace: 5,
    ...Object.fromEntries(given.filter(([, value]) => value !== undefined)),
  });
  const gateway = await runGateway(config, createLogger({ level: 'silent' }));
  try {
    const request = { tenant, scopes: ['model:read', 'infer'] as const, ttlSeconds: TOKEN_SECONDS };
    const token = await issueToken(await KeyRing.open(stateDir), await openIdentity(stateDir), request, Date.now());
    const ca = await readFile(gateway.caFile!, 'utf8');
    const connection = await connect({ address: gateway.listen, ca, token });
    return {
      connection,
      async close() {
        connection.close();
        await gateway.close();
      },
    };
  } catch (error) {
    await gateway.close();
    throw error;
  }
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
