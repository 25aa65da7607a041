/**
 * Faults that servers of grpc-js had before 1.14.5. Ours reads HTTP/2 itself; each is tried on it
 * all the same. Certificates that no authority has signed are tried in auth/sender.test.ts.
 */
import assert from 'node:assert/strict';
import { createLogger } from '../../../src/server/observability/log.js';
import { explainFailures } from '../../../src/server/rpc/interceptor.js';
import { framed } from '../../support/raw-grpc.js';
import { as, ECHO, type Rig, startRig } from '../../support/rpc-rig.js';

describe('known faults of grpc-js', () => {
  let rig: Rig;
  afterEach(() => rig.close());

  async function assertHonest(): Promise<void> {
    assert.equal((await rig.connect().send(ECHO, Buffer.from('x'), as('acme')).ended).status, 0);
  }

  it('a malformed start of a stream ends that stream alone', async () => {
    rig = await startRig();
    const starts: readonly Record<string, string>[] = [
      { 'content-type': '' },
      { 'content-type': 'application/grpcx' },
      { ':path': '/' },
      { ':path': '//' },
      { ':path': `/${'%'.repeat(200)}` },
      { 'grpc-timeout': '-1S' },
      { 'grpc-timeout': '999999999S' },
      { 'grpc-encoding': '\u00ff' },
    ];
    for (const start of starts) {
      const connection = rig.connect();
      const { stream, ended } = connection.call(ECHO, { ...as('acme'), ...start });
      stream.end(Buffer.from([0, 0, 0]));
      const { status } = await ended;
      assert.notEqual(status, 0, JSON.stringify(start));
      connection.close();
    }
    await assertHonest();
  });

  it('a malformed compressed message is refused, and harms no other call', async () => {
    rig = await startRig();
    for (const encoding of ['gzip', 'deflate', 'identity', 'unknown']) {
      const { stream, ended } = rig.connect().call(ECHO, { ...as('acme'), 'grpc-encoding': encoding });
      stream.end(framed(Buffer.from('1f8b0800ffff', 'hex'), 1));
      assert.equal((await ended).code, 'UNIMPLEMENTED', encoding);
    }
    await assertHonest();
  });

  it('the text of an exception stays at the server', async () => {
    const log = createLogger({ level: 'silent' });
    rig = await startRig({
      answer: (request, call) =>
        explainFailures(log)(call, async () => {
          if (request.length === 1) return request;
          throw new TypeError('a path of this machine: /srv/keys');
        }),
    });
    const { code, message, details } = await rig.connect().send(ECHO, Buffer.alloc(2), as('acme')).ended;
    assert.equal(code, 'INTERNAL');
    assert.doesNotMatch(JSON.stringify([message, details]), /srv|TypeError/);
    await assertHonest();
  });
});
