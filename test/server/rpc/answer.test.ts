/** How answers are written to a stream whose peer does not read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2, { type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { sendAnswer } from '../../../src/server/rpc/answer.js';

const PART_BYTES = 256 * 1024;

describe('an answer', () => {
  it(`waits in its stream ${PART_BYTES} bytes at a time`, async () => {
    const server = http2.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { settings: { initialWindowSize: 0 } });
    client.on('error', () => undefined);
    const stop = new AbortController();
    try {
      const request = client.request({ ':method': 'POST', ':path': '/' });
      request.on('error', () => undefined);
      const [stream] = (await once(server, 'stream')) as [ServerHttp2Stream];
      const floor = { graceMs: 3_600_000, bytesPerSecond: 1 };
      const sent = sendAnswer(stream, [Buffer.alloc(8 * PART_BYTES)], floor, stop.signal);
      while (stream.writableLength === 0) await turn();
      for (let n = 0; n < 20; n++) await turn();
      assert.ok(stream.writableLength <= PART_BYTES + 5, `${stream.writableLength}`);
      stop.abort(new Error('enough'));
      await assert.rejects(sent, /enough/);
    } finally {
      client.destroy();
      server.close();
    }
  });
});
