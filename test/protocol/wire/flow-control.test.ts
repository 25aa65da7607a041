import assert from 'node:assert/strict';
import { Server } from '@grpc/grpc-js';
import { FLOW_CONTROL_WINDOW_BYTES } from '../../../src/protocol/wire/channel.js';
import { applyFlowControl } from '../../../src/protocol/wire/flow-control.js';
import { announcedWindows } from '../../support/announced-windows.js';
import { startDelayProxy } from '../../support/delay-proxy.js';
import { connectEcho, startEchoServer } from '../../support/echo-server.js';

const ROUND_TRIP_MS = 40;
const PAYLOAD_BYTES = 1024 * 1024;

/** Milliseconds of the better of two echoes through a link with a round trip, on a warm connection. */
async function echoTime(flowControl: boolean): Promise<number> {
  const server = await startEchoServer({ flowControl });
  const proxy = await startDelayProxy(server.port, ROUND_TRIP_MS / 2);
  const client = connectEcho(proxy.port);
  try {
    await client.echo(Buffer.alloc(16));
    const first = await client.echo(Buffer.alloc(PAYLOAD_BYTES, 7));
    return Math.min(first, await client.echo(Buffer.alloc(PAYLOAD_BYTES, 8)));
  } finally {
    client.close();
    await proxy.close();
    server.close();
  }
}

describe('flow control of the server', () => {
  it('announces the wide window for streams and for the connection', async () => {
    const server = await startEchoServer({ flowControl: true });
    try {
      assert.deepEqual(await announcedWindows(`http://127.0.0.1:${server.port}`), {
        stream: FLOW_CONTROL_WINDOW_BYTES,
        connection: FLOW_CONTROL_WINDOW_BYTES,
      });
    } finally {
      server.close();
    }
  });

  it('leaves other servers of the process as they were', async () => {
    const server = await startEchoServer({ flowControl: false });
    try {
      assert.deepEqual(await announcedWindows(`http://127.0.0.1:${server.port}`), { stream: 65535, connection: 65535 });
    } finally {
      server.close();
    }
  });

  it('makes an upload over a 40 ms link at least 5 times faster than without, in the same run', async function () {
    this.timeout(30_000);
    const without = await echoTime(false);
    const wide = await echoTime(true);
    assert.ok(without / wide >= 5, `without ${without.toFixed(0)} ms, with ${wide.toFixed(0)} ms`);
  });

  it('fails loudly with a grpc-js that it does not know', () => {
    const server = new Server();
    Object.defineProperty(server, 'createHttp2Server', { value: undefined });
    assert.throws(() => applyFlowControl(server), { code: 'INTERNAL', message: /createHttp2Server/ });
  });
});
