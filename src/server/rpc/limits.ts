/** Limits of calls, connections and transfers. */
import type { NewcomerLimits } from './newcomers.js';

/** The limits of a server's calls. */
export interface CallLimits {
  readonly maxMessageBytes: number;
  /** Longest time for one call; a later deadline is shortened to it. */
  readonly maxDeadlineMs: number;
  /** Concurrent calls of all tenants; more are refused as retryable. */
  readonly maxInFlight: number;
  /** Concurrent calls of one tenant; more are refused as retryable. Default: all. */
  readonly maxInFlightPerTenant?: number | undefined;
  /** A limit of one tenant's own, in place of that of all; undefined without one. */
  readonly maxInFlightOf?: ((tenant: string) => number | undefined) | undefined;
  /**
   * Bytes of requests and answers that are held at once. Default: 1 GiB, or the account of
   * messages when that is less, or twice the largest message when that is more. One tenant and one
   * connection have half of it.
   */
  readonly messageMemoryBytes?: number | undefined;
}

/** Bounds of connections and of HTTP/2. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** The pace of new ones. */
  readonly newcomers: NewcomerLimits;
  /** Until its turn has come, then until TLS and the first HTTP/2 settings have arrived. */
  readonly handshakeMs: number;
  /** Time without a stream after which a connection is closed. */
  readonly idleMs: number;
  /** Age at which a connection takes no new streams; 10 % more or less, by chance. */
  readonly ageMs: number;
  /** Time between pings, and for the answer to one. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly maxStreams: number;
  readonly maxHeaderPairs: number;
  readonly maxHeaderBytes: number;
  readonly maxInvalidFrames: number;
  readonly maxRejectedStreams: number;
  /** Streams that a peer may reset at once, and per second. */
  readonly resetBurst: number;
  readonly resetRate: number;
  /**
   * Calls that a peer may make to be refused before they have a place, at once and per second. With
   * backoff all `maxStreams` of an honest one stay below it.
   */
  readonly refusedBurst: number;
  readonly refusedRate: number;
  /** Megabytes that Node may hold for one connection. */
  readonly maxSessionMemoryMb: number;
}

/** The slowest transfer of a message: `graceMs`, and a second more for each `bytesPerSecond`. */
export interface TransferFloor {
  readonly graceMs: number;
  readonly bytesPerSecond: number;
}

/** Limits of calls without a token: health. */
export interface OpenCallLimits {
  readonly maxMessageBytes: number;
  readonly maxDeadlineMs: number;
  /** Concurrent ones; the oldest ends when there is one more. */
  readonly maxInFlight: number;
  readonly maxWatchers: number;
}

/** Limits of streams that go both ways; their time and their messages have those of calls. */
export interface StreamLimits {
  /** Open at once, beside the calls. */
  readonly maxOpen: number;
  readonly maxOpenPerTenant: number;
  /** Time without a message, while none waits for its answer. */
  readonly idleMs: number;
  /** Messages of one stream that wait for their turn. */
  readonly maxWaiting: number;
}

/** Bounds that no flag sets, with those that one does. */
export interface ServerBounds {
  readonly connections: ConnectionLimits;
  readonly transfer: TransferFloor;
  readonly open: OpenCallLimits;
  readonly streams: StreamLimits;
  /** Tokens verified at once. */
  readonly maxVerifying: number;
}

/** The bounds of a server that sets none. */
export const defaultBounds: ServerBounds = {
  connections: {
    maxConnections: 4096,
    maxConnectionsPerAddress: 1024,
    newcomers: { burst: 16, leastPerSecond: 16, mostPerSecond: 256, busy: 0.5 },
    handshakeMs: 10_000,
    idleMs: 600_000,
    ageMs: 3_600_000,
    keepaliveMs: 60_000,
    keepaliveTimeoutMs: 20_000,
    maxStreams: 128,
    maxHeaderPairs: 64,
    maxHeaderBytes: 32 * 1024,
    maxInvalidFrames: 100,
    maxRejectedStreams: 100,
    resetBurst: 128,
    resetRate: 32,
    refusedBurst: 768,
    refusedRate: 128,
    maxSessionMemoryMb: 256,
  },
  transfer: { graceMs: 20_000, bytesPerSecond: 32 * 1024 },
  open: { maxMessageBytes: 1024, maxDeadlineMs: 2000, maxInFlight: 64, maxWatchers: 64 },
  streams: { maxOpen: 1024, maxOpenPerTenant: 512, idleMs: 120_000, maxWaiting: 16 },
  maxVerifying: 512,
};
