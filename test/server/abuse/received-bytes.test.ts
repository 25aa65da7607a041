/** Attacks with bytes: compressed bombs, bodies without a token, tiny frames. The server stays small and answers an honest client. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import {
  type AbusedServer,
  checkHealth,
  framed,
  paths,
  pour,
  startAbusedCoordinator,
  startAbusedGateway,
} from '../../support/abused-server.js';
import { exhaustive } from '../../support/exhaustive.js';
import { requestWith } from '../../support/literal-headers.js';

const MB = 1e6;

/** 150 MB of zeros, and of empty fields, as gzip sends them; made once, for both roles. */
const bombs = {
  zeros: once(() => framed(gzipSync(Buffer.alloc(150 * MB)), 1)),
  fields: once(() => framed(gzipSync(Buffer.alloc(150 * MB, Buffer.from([0x0a, 0x00]))), 1)),
};

function once(make: () => Buffer): () => Buffer {
  let made: Buffer | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Fails when resident memory has grown by more than it may. */
function staysSmall(grown: () => number, bound: number): void {
  const bytes = grown();
  assert.ok(bytes < bound, `memory grew by ${(bytes / MB).toFixed(0)} MB`);
}

/** Both servers are made of the same parts; `npm test` attacks one. */
const roles = [['gateway', startAbusedGateway] as const, ...(exhaustive ? [['coordinator', startAbusedCoordinator] as const] : [])];

for (const [role, start] of roles) {
  describe(`${role}: bytes that were not admitted`, () => {
    let server: AbusedServer;
    before(async () => {
      server = await start();
      await checkHealth(server);
    });
    after(() => server.stop());

    it('refuses a compressed health check without opening it', async () => {
      const grown = server.watchMemory();
      const bomb = bombs.zeros();
      const attacker = server.connect();
      const { stream, ended } = attacker.call(paths.check, { 'grpc-encoding': 'gzip' });
      stream.end(bomb);
      const { status, code } = await ended;
      staysSmall(grown, 40 * MB);
      assert.deepEqual([status, code], [12, 'UNIMPLEMENTED']);
    });

    it('is not kept busy by a small compressed message of very many fields', async () => {
      const bomb = bombs.fields();
      assert.ok(bomb.length < 300_000, `${bomb.length} bytes`);
      const busy = server.watchProcessor();
      const { stream, ended } = server.connect().call(paths.check, { 'grpc-encoding': 'gzip' });
      stream.end(bomb);
      await ended;
      await checkHealth(server);
      const used = busy();
      assert.ok(used < 1500, `the server used ${used} ms of processor time`);
    });

    it('keeps at most 1 kB of a health check', async () => {
      const grown = server.watchMemory();
      const { stream, ended } = server.connect().call(paths.check);
      stream.write(framed(Buffer.alloc(100 * MB)).subarray(0, 5));
      await pour(stream, Buffer.alloc(MB), 99);
      stream.end();
      const { status, code } = await ended;
      staysSmall(grown, 40 * MB);
      assert.deepEqual([status, code], [8, 'MESSAGE_TOO_LARGE']);
    });

    it('keeps nothing of a call whose token is missing or wrong', async () => {
      const grown = server.watchMemory();
      const path = role === 'gateway' ? paths.forward : paths.submit;
      for (const headers of [{}, { authorization: 'Bearer e30.e30.e30' }]) {
        const calls = Array.from({ length: 8 }, () => server.connect().call(path, { 'grpc-timeout': '600S', ...headers }));
        await Promise.all(
          calls.map(async ({ stream }) => {
            stream.write(framed(Buffer.alloc(25 * MB)).subarray(0, 5));
            await pour(stream, Buffer.alloc(MB), 24);
            stream.end();
          }),
        );
        for (const { ended } of calls) assert.equal((await ended).status, 16);
      }
      staysSmall(grown, 80 * MB);
    });

    it('ends a call that sends its body a byte a frame', async () => {
      const grown = server.watchMemory();
      const headers = await server.honest('acme');
      const { stream, ended } = server.connect().call(role === 'gateway' ? paths.forward : paths.submit, headers);
      stream.write(framed(Buffer.alloc(MB)).subarray(0, 5));
      // A write of one byte is a DATA frame of one byte when nothing waits before it.
      for (let at = 0; at < 200_000 && !stream.closed; at++) {
        stream.write(Buffer.of(0));
        if (at % 50 === 0) await new Promise(setImmediate);
      }
      const outcome = await Promise.race([ended, delay(2000, undefined)]);
      stream.destroy();
      staysSmall(grown, 20 * MB);
      assert.equal(outcome?.code, 'INVALID_ARGUMENT');
    });

    it('ends a call at its second message', async () => {
      const headers = await server.honest('acme');
      const { stream, ended } = server.connect().call(role === 'gateway' ? paths.getModel : paths.submit, headers);
      stream.write(framed(Buffer.alloc(0)));
      stream.write(framed(Buffer.alloc(0)));
      const outcome = await Promise.race([ended, delay(3000, undefined)]);
      stream.destroy();
      assert.equal(outcome?.code, 'UNIMPLEMENTED');
      assert.match(outcome?.message ?? '', /one message/);
    });

    it('refuses two authorization headers, in either order', async () => {
      const { authorization = '' } = await server.honest('acme');
      const path = role === 'gateway' ? paths.getModel : paths.submit;
      for (const both of [
        [authorization, 'Bearer e30.e30.e30'],
        ['Bearer e30.e30.e30', authorization],
        [authorization, authorization],
      ]) {
        const answer = await requestWith(server.address, [
          [':method', 'POST'],
          [':scheme', 'http'],
          [':authority', server.address],
          [':path', path],
          ['content-type', 'application/grpc'],
          ['te', 'trailers'],
          ['grpc-timeout', '5S'],
          ...both.map((value): [string, string] => ['authorization', value]),
        ]);
        assert.equal(answer['grpc-status'], '16');
      }
    });
  });
}
