import assert from 'node:assert/strict';
import { FLOW_CONTROL_WINDOW_BYTES } from '../../../src/protocol/wire/channel.js';
import { announcedWindows } from '../../support/announced-windows.js';
import { startDelayProxy } from '../../support/delay-proxy.js';
import { connectEcho, startEchoServer } from '../../support/echo-server.js';

const PAYLOAD_BYTES = 1024 * 1024;

/** Bytes that the client of an echo sends without waiting for the server, on a warm connection. */
async function sentAtOnce(ours: boolean): Promise<number> {
  const server = await startEchoServer({ ours });
  const proxy = await startDelayProxy(server.port, 1);
  const client = connectEcho(proxy.port);
  try {
    await client.echo(Buffer.alloc(16));
    await client.echo(Buffer.alloc(PAYLOAD_BYTES, 7));
    return proxy.burst;
  } finally {
    client.close();
    await proxy.close();
    server.close();
  }
}

describe('flow control of the server', () => {
  it('announces the wide window for streams and for the connection', async () => {
    const server = await startEchoServer({ ours: true });
    try {
      assert.deepEqual(await announcedWindows(`http://127.0.0.1:${server.port}`), {
        stream: FLOW_CONTROL_WINDOW_BYTES,
        connection: FLOW_CONTROL_WINDOW_BYTES,
      });
    } finally {
      server.close();
    }
  });

  it('is more than a server of grpc-js announces by itself', async () => {
    const server = await startEchoServer({ ours: false });
    try {
      assert.deepEqual(await announcedWindows(`http://127.0.0.1:${server.port}`), { stream: 65535, connection: 65535 });
    } finally {
      server.close();
    }
  });

  it('takes an upload of 1 MB in one go, which without it waits for the server at every 64 kB', async () => {
    const [without, wide] = [await sentAtOnce(false), await sentAtOnce(true)];
    assert.ok(without < 2.5 * 65_535, `${without} bytes without it`);
    assert.ok(wide > PAYLOAD_BYTES, `${wide} bytes with it`);
  });
});
