/** Decoding at a gateway: its decoder, opened on the first use, and the sessions over it. */
import { type SpanLimits, spanLimits } from '../../artifacts/decode-graph.js';
import { CutlayerError } from '../../errors.js';
import { ROWS_PER_RUN } from '../../runtime/decode/plan-runs.js';
import type { BackboneEngine } from '../engine/engine.js';
import type { Ledger } from '../ledger/ledger.js';
import { type LimitSource, noLimits } from '../tenants/limits.js';
import type { DecodeServing } from './decode-service.js';
import { type Decoder, openDecoder } from './decoder.js';
import { DecodeSessions, type SessionsOptions } from './sessions.js';

/** A decoder that can be opened. */
export interface DecoderSource extends SpanLimits {
  /** Lanes of one run. */
  readonly maxBatch: number;
  /** @throws CutlayerError INVALID_ARTIFACT, UNAVAILABLE */
  readonly open: () => Promise<Decoder>;
}

/** What a gateway's options say of decoding. */
export interface DecodingConfig {
  readonly decodeMemory: number;
  readonly decodeSessions: number;
  /** In milliseconds. */
  readonly decodeIdle: number;
  /** Bytes of the row cache, of `decodeMemory`; 0: none. */
  readonly decodeCache: number;
}

/** What is known of tenants. */
export interface DecodingTenants {
  /** Bytes and sessions of one tenant. Default: the shares of the configuration. */
  readonly limits?: LimitSource;
  /** Undefined: rows are not charged. */
  readonly ledger?: Ledger;
}

/** The decoding of a gateway. */
export interface Decoding extends Omit<DecodeServing, 'backbone' | 'limits' | 'protection'> {
  stats(): ReturnType<DecodeSessions['stats']>;
  heldBy(tenant: string): ReturnType<DecodeSessions['heldBy']>;
  /** Ends the sessions of a tenant, and the rows that are kept for it. */
  forgetTenant(tenant: string): void;
  close(): Promise<void>;
}

/** The part of the memory for keys and values that one tenant may have. */
const TENANT_SHARE = 1 / 2;
/** Sessions of a step. */
const MAX_BATCH = 32;
/** Rows of a block of the row cache. */
const BLOCK_ROWS = 64;
/**
 * Rows of a chunk: what a long prompt may stall a step by, and what still runs when its caller has
 * gone. They are one run of the decode worker, which is not interrupted.
 */
const CHUNK_ROWS = ROWS_PER_RUN;
/** A session that is not used for this long may give way before others that are used. */
const REST_MS = 10_000;
/** How long a step waits for sessions that were answered together. */
const GATHERING = { share: 1 / 2, maxMs: 5 } as const;

/** The statistics of a gateway without sessions. */
export const noSessions = {
  decodeSessions: 0,
  decodeBytes: 0,
  decodeLimitBytes: 0,
  evictedSessions: 0,
  expiredSessions: 0,
  decodeWaiting: 0,
  decodeCacheBytes: 0,
  decodeCacheHits: 0,
  decodeCachedRows: 0,
};

/**
 * The decoder of an engine's backbone; undefined where its pack has no graph for decoding. It has
 * the threads of a worker, whose place its turns take.
 */
export function decoderOf(engine: BackboneEngine): DecoderSource | undefined {
  const { artifact } = engine;
  const spans = spanLimits(artifact.manifest);
  if (spans === undefined) return undefined;
  return { ...spans, maxBatch: MAX_BATCH, open: () => openDecoder({ artifact, threads: engine.stats().threadsPerWorker }) };
}

/** Makes the decoding of an engine's backbone. */
export function openDecoding(
  source: DecoderSource,
  engine: BackboneEngine,
  config: DecodingConfig,
  { limits = noLimits, ledger }: DecodingTenants = {},
): Decoding {
  const bounds: SessionsOptions['bounds'] = {
    limitBytes: config.decodeMemory,
    tenantBytes: Math.floor(config.decodeMemory * TENANT_SHARE),
    maxPerTenant: config.decodeSessions,
    limits,
    idleMs: config.decodeIdle,
    restMs: Math.min(REST_MS, config.decodeIdle),
    cacheBytes: config.decodeCache,
    blockRows: BLOCK_ROWS,
    ...{ chunkRows: CHUNK_ROWS, maxBatch: source.maxBatch, ...GATHERING },
  };
  let opening: Promise<DecodeSessions> | undefined;
  let opened: DecodeSessions | undefined;
  let closed = false;

  async function open(): Promise<DecodeSessions> {
    const decoder = await source.open();
    opened = new DecodeSessions({ decoder, turns: engine, bounds, digest: engine.artifact.digest, ledger, now: () => performance.now() });
    return opened;
  }

  return {
    maxRows: source.maxRows,
    longRows: source.longRows,
    sessions() {
      if (closed) throw new CutlayerError('UNAVAILABLE', 'decoder: it has been closed');
      opening ??= open().catch((error: unknown) => {
        opening = undefined; // it may open the next time
        throw error;
      });
      return opening;
    },
    hold: (tenant, bytes) => engine.hold(tenant, bytes),
    stats: () => opened?.stats() ?? { ...noSessions, decodeLimitBytes: config.decodeMemory },
    heldBy: (tenant) => opened?.heldBy(tenant) ?? { decodeSessions: 0, keyValueBytes: 0 },
    forgetTenant: (tenant) => opened?.forgetTenant(tenant),
    async close() {
      closed = true;
      await opening?.catch(() => undefined);
      await opened?.shutDown();
    },
  };
}

/** What the service needs of it. */
export const servingOf = (
  decoding: Decoding | undefined,
  rest: Pick<DecodeServing, 'backbone' | 'limits' | 'protection'>,
): DecodeServing | undefined => decoding && { ...decoding, ...rest };
