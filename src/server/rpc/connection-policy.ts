/** What becomes of a connection, as a function of its state and the time. */
import type { ConnectionLimits } from './limits.js';

/** The state of a connection that its end depends on; times are milliseconds of one clock. */
export interface ConnectionState {
  /** When it came, then when its turn to begin came. */
  openedAt: number;
  /** Age from which on it takes no new streams. */
  readonly ageMs: number;
  /** Whether TLS and the first HTTP/2 settings have arrived. */
  greeted: boolean;
  /** When HTTP/2 ended; its last bytes may still be on their way. */
  endedAt: number | undefined;
  streams: number;
  lastBusyAt: number;
  lastPingAt: number;
  awaitsPong: boolean;
  /** Streams that were reset. */
  readonly resets: Tally;
  /** Calls that were refused before they had a place. */
  readonly refusals: Tally;
}

/** Events that are forgiven with time. */
export interface Tally {
  count: number;
  /** When the count was made. */
  at: number;
}

/** What to do: nothing, ask whether the peer is there, take no new streams, or end it. */
export type Verdict = 'keep' | 'ping' | 'close' | 'destroy';

/** A connection that has just been accepted. @param random from 0 to 1 */
export function newConnectionState(now: number, random: number, { ageMs }: ConnectionLimits): ConnectionState {
  return {
    openedAt: now,
    // Clients that came together do not come back together.
    ageMs: ageMs * (0.9 + 0.2 * random),
    greeted: false,
    endedAt: undefined,
    streams: 0,
    lastBusyAt: now,
    lastPingAt: now,
    awaitsPong: false,
    resets: { count: 0, at: now },
    refusals: { count: 0, at: now },
  };
}

/** @param lastCallsMs time that an old connection's last calls have */
export function verdictOf(state: ConnectionState, now: number, limits: ConnectionLimits, lastCallsMs: number): Verdict {
  if (state.endedAt !== undefined) return now - state.endedAt > limits.keepaliveTimeoutMs ? 'destroy' : 'keep';
  const age = now - state.openedAt;
  if (!state.greeted) return age > limits.handshakeMs ? 'destroy' : 'keep';
  if (age > state.ageMs + lastCallsMs) return 'destroy';
  const sincePing = now - state.lastPingAt;
  if (state.awaitsPong && sincePing > limits.keepaliveTimeoutMs) return 'destroy';
  if (age > state.ageMs || (state.streams === 0 && now - state.lastBusyAt > limits.idleMs)) return 'close';
  return !state.awaitsPong && sincePing > limits.keepaliveMs ? 'ping' : 'keep';
}

/**
 * Counts one more.
 * @param rate those forgiven in a second
 * @returns whether there are more than `burst`
 */
export function exceeds(tally: Tally, now: number, burst: number, rate: number): boolean {
  tally.count = Math.max(0, tally.count - ((now - tally.at) / 1000) * rate) + 1;
  tally.at = now;
  return tally.count > burst;
}
