/** Calls that are refused while their body is on its way leave nothing behind. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { defaultBounds } from '../../../src/server/rpc/limits.js';
import { as, ECHO, ECHOES, principal, startRig } from '../../support/rpc-rig.js';

/** A message of 4 GiB by its prefix, of which 16 KiB come. */
const oversize = Buffer.concat([Buffer.of(0, 255, 255, 255, 255), Buffer.alloc(16 * 1024)]);

/** The server looks once a second. */
const WAIT_MS = 15_000;

describe('the body of a refused call', () => {
  for (const [kind, path] of [
    ['unary', ECHO],
    ['stream', ECHOES],
  ] as const) {
    it(`does not keep the stream open: the connection is idle afterwards, ${kind}`, async () => {
      const rig = await startRig({
        bounds: { connections: { ...defaultBounds.connections, idleMs: 100 } },
        // The body is there, and refused, before the token is verified.
        verify: async (token) => {
          await delay(20);
          return principal(token);
        },
      });
      try {
        const connection = rig.connect();
        const calls = Array.from({ length: 8 }, () => {
          const call = connection.call(path, as('acme'));
          // The whole call is in the stream before it is refused.
          call.stream.end(oversize);
          return call;
        });
        for (const { ended } of calls) assert.equal((await ended).code, 'MESSAGE_TOO_LARGE');
        await once(connection.session, 'goaway', { signal: AbortSignal.timeout(WAIT_MS) });
        while (rig.server.gauges().connections > 0) await delay(20);
      } finally {
        await rig.close();
      }
    });
  }
});
