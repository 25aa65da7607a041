/** What becomes of a connection, by its state and the time. */
import assert from 'node:assert/strict';
import { newConnectionState, tooManyResets, verdictOf } from '../../../src/server/rpc/connection-policy.js';
import { defaultBounds } from '../../../src/server/rpc/limits.js';

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

  it('comes with a burst of resets, and not with the same number over time', () => {
    const flooding = state();
    const flood = Array.from({ length: limits.resetBurst + 1 }, () => tooManyResets(flooding, 0, limits));
    assert.equal(flood.indexOf(true), limits.resetBurst);
    const patient = state();
    for (let n = 0; n < 10 * limits.resetBurst; n++) assert.equal(tooManyResets(patient, (n * 1000) / limits.resetRate, limits), false);
  });
});
