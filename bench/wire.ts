/**
 * Wire throughput: an echo through a link of 40 ms round trip with and without the server's window,
 * and on loopback. Prints MB/s per connection, both directions counted once. Run with
 * `node dist/bench/wire.js`.
 */
import { startDelayProxy } from '../test/support/delay-proxy.js';
import { connectEcho, startEchoServer } from '../test/support/echo-server.js';
import { machineText, thisMachine } from './machine.js';

const MB = 1e6;

process.stdout.write(`${machineText(thisMachine())}\n`);

async function measure(
  name: string,
  payloadBytes: number,
  options: { ours: boolean; roundTripMs: number; repeats: number },
): Promise<void> {
  const server = await startEchoServer(options);
  const proxy = options.roundTripMs > 0 ? await startDelayProxy(server.port, options.roundTripMs / 2) : undefined;
  const client = connectEcho(proxy?.port ?? server.port);
  try {
    const payload = Buffer.alloc(payloadBytes, 1);
    await client.echo(payload);
    const times: number[] = [];
    for (let i = 0; i < options.repeats; i++) times.push(await client.echo(payload));
    const median = times.sort((a, b) => a - b)[times.length >> 1]!;
    const rate = (2 * payloadBytes) / MB / (median / 1000);
    process.stdout.write(`${name.padEnd(44)} ${median.toFixed(1).padStart(9)} ms ${rate.toFixed(1).padStart(9)} MB/s\n`);
  } finally {
    client.close();
    await proxy?.close();
    server.close();
  }
}

for (const mib of [1, 4, 16]) {
  const bytes = mib * 2 ** 20;
  await measure(`echo ${mib} MiB, 40 ms, window of 8 MiB`, bytes, { ours: true, roundTripMs: 40, repeats: 3 });
  if (mib <= 4) await measure(`echo ${mib} MiB, 40 ms, grpc-js as it comes`, bytes, { ours: false, roundTripMs: 40, repeats: 1 });
  await measure(`echo ${mib} MiB, loopback`, bytes, { ours: true, roundTripMs: 0, repeats: 5 });
}
