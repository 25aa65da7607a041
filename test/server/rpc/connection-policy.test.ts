/** What becomes of a connection, by its state and the time. */
import assert from 'node:assert/strict';
import { retryDelayMs } from '../../../clients/typescript/connection/retry.js';
import { exceeds, newConnectionState, verdictOf } from '../../../src/server/rpc/connection-policy.js';
import { defaultBounds } from '../../../src/server/rpc/limits.js';
import { seeded } from '../../support/random.js';

const limits = defaultBounds.connections;
const LAST_CALLS = 60_000;
const state = (changes = {}) => ({ ...newConnectionState(0, 0.5, limits), greeted: true, ...changes });
const verdict = (of: ReturnType<typeof state>, now: number) => verdictOf(of, now, limits, LAST_CALLS);

describe('the end of a connection', () => {
  it('comes when its handshake takes too long', () => {
    assert.equal(verdict(state({ greeted: false }), limits.handshakeMs), 'keep');
    assert.equal(verdict(state({ greeted: false }), limits.handshakeMs + 1), 'destroy');
  });

  it('comes when nothing was open for a while, and not while something is', () => {
    const at = limits.idleMs + 1;
    assert.equal(verdict(state({ lastPingAt: at }), at), 'close');
    assert.equal(verdict(state({ lastPingAt: at, streams: 1 }), at), 'keep');
    assert.equal(verdict(state({ lastPingAt: at, lastBusyAt: 5 }), at), 'keep');
  });

  it('comes with age, a little sooner or later by chance, whatever is open', () => {
    assert.equal(newConnectionState(0, 0, limits).ageMs, 0.9 * limits.ageMs);
    assert.equal(newConnectionState(0, 1, limits).ageMs, 1.1 * limits.ageMs);
    const at = limits.ageMs + 1;
    assert.equal(verdict(state({ streams: 1, lastPingAt: at }), at), 'close');
    assert.equal(verdict(state({ streams: 1, lastPingAt: at }), at + LAST_CALLS), 'destroy');
  });

  it('comes when the peer does not answer a ping', () => {
    const at = limits.keepaliveMs + 1;
    assert.equal(verdict(state({ streams: 1 }), at), 'ping');
    assert.equal(verdict(state({ streams: 1, lastPingAt: at, awaitsPong: true }), at + limits.keepaliveTimeoutMs), 'keep');
    assert.equal(verdict(state({ streams: 1, lastPingAt: at, awaitsPong: true }), at + limits.keepaliveTimeoutMs + 1), 'destroy');
  });

  it('comes when its last bytes are not taken after HTTP/2 has ended', () => {
    assert.equal(verdict(state({ endedAt: 5 }), limits.keepaliveTimeoutMs + 5), 'keep');
    assert.equal(verdict(state({ endedAt: 5 }), limits.keepaliveTimeoutMs + 6), 'destroy');
  });

  for (const [what, burst, rate] of [
    ['resets', limits.resetBurst, limits.resetRate],
    ['refused calls', limits.refusedBurst, limits.refusedRate],
  ] as const) {
    it(`comes with a burst of ${what}, and not with the same number over time`, () => {
      const flooding = { count: 0, at: 0 };
      const flood = Array.from({ length: burst + 1 }, () => exceeds(flooding, 0, burst, rate));
      assert.equal(flood.indexOf(true), burst);
      const patient = { count: 0, at: 0 };
      for (let n = 0; n < 10 * burst; n++) assert.equal(exceeds(patient, (n * 1000) / rate, burst, rate), false);
    });
  }

  for (const [jitter, random] of [
    ['the shortest', () => 0],
    ['the longest', () => 1],
    ['seeded', seeded(1)],
  ] as const) {
    it(`does not come when all calls of a client are refused for minutes; it repeats them, by its backoff of ${jitter} delays`, () => {
      const refused = Array.from({ length: limits.maxStreams }, () => refusedAt(5 * 60_000, random)).flat();
      const tally = { count: 0, at: 0 };
      const { refusedBurst, refusedRate } = limits;
      for (const at of refused.sort((a, b) => a - b)) assert.equal(exceeds(tally, at, refusedBurst, refusedRate), false);
      assert.ok(refused.length > 10 * refusedBurst, `only ${refused.length} calls`);
    });
  }
});

/** When one call is refused, as the client library repeats it. */
function refusedAt(lastMs: number, random: () => number): readonly number[] {
  const times: number[] = [];
  for (let at = 0; at < lastMs; at += retryDelayMs(times.length, {}, random)) times.push(at);
  return times;
}
