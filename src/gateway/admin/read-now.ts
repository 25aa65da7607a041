/** Reads the state of a gateway for the load of this moment. */
import type { ServerAudit } from '../../server/audit/open-audit.js';
import type { RpcServer } from '../../server/rpc/server.js';
import { type Decoding, noSessions } from '../decode/open-decoding.js';
import type { BackboneEngine } from '../engine/engine.js';
import type { Protection } from '../protection/protection.js';
import type { LoadNow } from './load-answer.js';

/** What is read. */
export interface NowSources {
  readonly engine: BackboneEngine;
  readonly decoding: Decoding | undefined;
  readonly server: Pick<RpcServer, 'gauges' | 'draining'>;
  readonly protection: Pick<Protection, 'stats'>;
  readonly audit: Pick<ServerAudit, 'failing'>;
  readonly config: { readonly maxInFlight: number; readonly maxConnections: number; readonly queueLimit: number };
}

/** Gives what reads them. */
export function readNow({ engine, decoding, server, protection, audit, config }: NowSources): () => LoadNow {
  const model = engine.artifact.manifest.name;
  return () => {
    const stats = engine.stats();
    const { decodeSessions, decodeWaiting, decodeBytes, decodeCacheBytes, decodeLimitBytes } = decoding?.stats() ?? noSessions;
    const { inFlightCalls, openStreams, connections } = server.gauges();
    const { protectionRefused, protectionAlarms } = protection.stats();
    return {
      ...{ status: server.draining ? 'draining' : 'serving', model, auditFailing: audit.failing() },
      ...{ inFlightCalls, maxInFlight: config.maxInFlight, openStreams, connections, maxConnections: config.maxConnections },
      ...{ queued: stats.queueLength, queueLimit: config.queueLimit, running: stats.running, workers: stats.workers },
      ...{ keptSteps: stats.stepsHeld, keptBytes: stats.residualBytes + stats.inputBytes },
      ...{ callBytes: stats.callBytes, workBytes: stats.workBytes, memoryLimitBytes: stats.memoryLimitBytes },
      ...{ decodeSessions, decodeWaiting, decodeBytes, decodeCacheBytes, decodeLimitBytes },
      ...{ protectionRefused, protectionAlarms },
    };
  };
}
