/** The turns of new connections: as many as the load allows, round the addresses. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { defaultBounds } from '../../../src/server/rpc/limits.js';
import { type LoadClock, Newcomers } from '../../../src/server/rpc/newcomers.js';
import { originOf } from '../../../src/server/rpc/origin.js';
import { startRig } from '../../support/rpc-rig.js';

const limits = { burst: 4, leastPerSecond: 10, mostPerSecond: 100, busy: 0.5 };
const CHECK = '/grpc.health.v1.Health/Check';

/** A clock that a test sets. */
class FakeClock implements LoadClock {
  time = 0;
  busy = 0;
  now = (): number => this.time;
  busyMs = (): number => this.busy;

  /** Passes time with a load. */
  pass(ms: number, load: number): void {
    this.time += ms;
    this.busy += ms * load;
  }
}

describe('new connections', () => {
  let clock: FakeClock;
  let newcomers: Newcomers;
  let began: string[];
  beforeEach(() => {
    clock = new FakeClock();
    newcomers = new Newcomers(limits, clock);
    began = [];
  });
  afterEach(() => newcomers.close());
  const enter = (origin: string, name = origin): (() => void) => newcomers.enter(origin, () => began.push(name));

  /** How many begin in a time under a load, when far more come. */
  function beginIn(seconds: number, load: number): number {
    const from = began.length;
    for (let at = 0; at < seconds * 1000; at += 10) {
      clock.pass(10, load);
      for (let n = 0; n < 3; n++) enter(`10.0.${at % 250}.${n}`);
    }
    return began.length - from;
  }

  it('begin at once while few come, whatever the load', () => {
    beginIn(3, 1);
    newcomers.close();
    for (let at = 0; at < 20; at++) {
      clock.pass(1000, 1);
      const before = began.length;
      enter('10.0.0.1');
      assert.equal(began.length, before + 1);
    }
  });

  it('begin as fast as allowed at a low load, and as slowly as allowed at a high one', () => {
    assert.ok(Math.abs(beginIn(10, 0.2) - 1004) < 20);
    beginIn(1, 1); // the load is known after that
    assert.ok(Math.abs(beginIn(10, 0.9) - 100) < 5);
    beginIn(2, 0.1);
    assert.ok(Math.abs(beginIn(10, 0.1) - 1000) < 20);
  });

  it('make the load what is allowed where they are the load', () => {
    // Each keeps the thread busy for 20 ms: 25 a second are half of its time.
    let [counted, backlogMs] = [0, 0];
    for (let at = 0; at < 60_000; at += 10) {
      for (let n = 0; n < 2; n++) enter(`10.0.0.${n}`);
      const due = began.splice(0).length;
      backlogMs += due * 20;
      const busy = Math.min(10, backlogMs);
      backlogMs -= busy;
      clock.pass(10, busy / 10);
      if (at >= 10_000) counted += due;
    }
    assert.ok(counted / 50 > 12 && counted / 50 < 32, `${counted / 50} a second`);
  });

  it('take turns by origin, in the order of their coming', () => {
    for (let at = 0; at < limits.burst; at++) enter('warm-up');
    began.length = 0;
    for (let at = 0; at < 50; at++) enter('many', `many ${at}`);
    enter('one');
    enter('two', 'two 0');
    enter('two', 'two 1');
    clock.pass(60, 0.1);
    enter('last');
    assert.deepEqual(began, ['many 0', 'one', 'two 0', 'last']);
    clock.pass(60, 0.1);
    enter('late');
    assert.deepEqual(began.slice(4), ['many 1', 'two 1', 'late', 'many 2']);
  });

  it('give their place up when they go', () => {
    for (let at = 0; at < limits.burst; at++) enter('warm-up');
    began.length = 0;
    const leave = [enter('a', 'a 0'), enter('a', 'a 1'), enter('b')];
    assert.equal(newcomers.size, 3);
    leave[0]!();
    leave[2]!();
    leave[2]!();
    assert.equal(newcomers.size, 1);
    clock.pass(1000, 0);
    enter('c');
    assert.deepEqual(began, ['a 1', 'c']);
    leave[1]!();
    assert.equal(newcomers.size, 0);
  });

  it('begin by themselves when their turn comes', async () => {
    const real = new Newcomers({ ...limits, burst: 1 });
    let begun = 0;
    for (let at = 0; at < 4; at++) real.enter('a', () => begun++);
    assert.equal(begun, 1);
    while (begun < 4) await delay(5);
    assert.equal(real.size, 0);
  });
});

describe('a server of which more want than it takes', () => {
  const slow = { ...defaultBounds.connections, newcomers: { ...limits, burst: 2, mostPerSecond: 5, leastPerSecond: 5 } };

  it('lets them wait, counts them, and then serves them', async () => {
    const rig = await startRig({ bounds: { connections: slow } });
    try {
      const calls = Array.from({ length: 8 }, () => rig.connect().send(CHECK, Buffer.alloc(0)).ended);
      let most = 0;
      let ended = false;
      const all = Promise.all(calls).finally(() => {
        ended = true;
      });
      // Looked at in each turn of the loop, so that no pause of a busy machine hides those who wait.
      for (; !ended; await nextTurn()) {
        const { connections, waitingConnections } = rig.server.gauges();
        if (waitingConnections > most) assert.ok(connections > waitingConnections, 'those who wait are counted too');
        most = Math.max(most, waitingConnections);
      }
      assert.ok(most >= 2, `${most} waited`);
      for (const { status } of await all) assert.equal(status, 0);
      assert.equal(rig.server.gauges().waitingConnections, 0);
    } finally {
      await rig.close();
    }
  });

  it('does not let one address keep the others out', async () => {
    const slower = { ...slow, newcomers: { ...slow.newcomers, mostPerSecond: 2, leastPerSecond: 2 } };
    const rig = await startRig({ bounds: { connections: slower } });
    try {
      const port = Number(rig.address.split(':')[1]);
      const flood = Array.from({ length: 60 }, () => net.connect({ port, host: '127.0.0.1', localAddress: '127.0.1.1' }));
      for (const socket of flood) socket.on('error', () => undefined);
      while (rig.server.gauges().waitingConnections < 50) await delay(1);
      const { status } = await rig.connect().send(CHECK, Buffer.alloc(0)).ended;
      assert.equal(status, 0);
      assert.ok(rig.server.gauges().waitingConnections > 30, 'those of the other address still wait');
      for (const socket of flood) socket.destroy();
    } finally {
      await rig.close();
    }
  });

  it('ends those that wait too long, or at its own end', async () => {
    const none = { ...slow, newcomers: { ...limits, burst: 0, mostPerSecond: 0, leastPerSecond: 0 } };
    const rig = await startRig({ bounds: { connections: { ...none, handshakeMs: 100 } } });
    const first = rig.connect().send(CHECK, Buffer.alloc(0));
    assert.equal((await first.ended).status, undefined);
    const second = rig.connect().send(CHECK, Buffer.alloc(0));
    while (rig.server.gauges().waitingConnections < 1) await delay(1);
    await rig.close();
    assert.equal((await second.ended).status, undefined);
    assert.equal(rig.server.gauges().connections, 0);
  });
});

describe('the origin of a connection', () => {
  it('is the address, or the /64 network of an IPv6 one', () => {
    for (const [address, origin] of [
      ['192.0.2.7', '192.0.2.7'],
      ['::ffff:192.0.2.7', '192.0.2.7'],
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
      ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
      ['2001:DB8::9', '2001:db8:0:0::/64'],
      ['2001:db8:1::', '2001:db8:1:0::/64'],
      ['fe80::1%eth0', 'fe80:0:0:0::/64'],
      ['::1', '0:0:0:0::/64'],
    ]) {
      assert.equal(originOf(address!), origin, address);
    }
  });
});
