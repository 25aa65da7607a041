/**
 * What a hostile tenant does to a gateway, a call or a burst each. Every attack ends by itself or
 * after a bounded time.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { RemoteModel } from '../../clients/typescript/model/remote-model.js';
import { RemoteSession } from '../../clients/typescript/model/remote-session.js';
import { f32 } from '../../src/tensor/tensor.js';
import { framed, type RawConnection } from '../../test/support/raw-grpc.js';

/** A hostile tenant's connection. */
export interface Attacker {
  readonly connection: RawConnection;
  /** Good for this tenant. */
  readonly token: string;
  readonly remote: RemoteModel;
}

const FORWARD = '/cutlayer.v1.Split/Forward';
const DECODE = '/cutlayer.v1.Decode/Decode';
const HEALTH = '/grpc.health.v1.Health/Check';
/** How long an attack holds what it has opened. */
const HOLD_MS = 2000;

const bearer = (token: string) => ({ authorization: `Bearer ${token}`, 'grpc-timeout': '30S' });

/** By name. */
export const attacks: Readonly<Record<string, (attacker: Attacker) => Promise<void>>> = {
  'forged token': async ({ connection, token }) => {
    const forged = `${token.slice(0, -8)}AAAAAAAA`;
    await connection.send(FORWARD, randomBytes(1000), bearer(forged)).ended;
  },
  'no token, body without end': async ({ connection }) => {
    const { stream } = connection.call(FORWARD, { 'grpc-timeout': '30S' });
    for (let at = 0; at < 20 && !stream.destroyed; at++) {
      stream.write(randomBytes(64 * 1024));
      await sleep(5);
    }
    stream.destroy();
  },
  'compressed health check': async ({ connection }) => {
    const { stream, ended } = connection.call(HEALTH, { 'grpc-encoding': 'gzip' });
    stream.end(framed(gzipSync(Buffer.alloc(8 << 20)), 1));
    await ended;
  },
  'body in frames of one byte': async ({ connection, token }) => {
    const { stream } = connection.call(FORWARD, bearer(token));
    for (let at = 0; at < 4000 && !stream.destroyed; at++) if (!stream.write(Buffer.of(0))) await sleep(1);
    stream.destroy();
  },
  'streams that stay silent': async ({ connection, token }) => {
    const calls = Array.from({ length: 64 }, () => connection.call(FORWARD, bearer(token)));
    await sleep(HOLD_MS);
    for (const { stream } of calls) stream.destroy();
  },
  'streams that are reset': async ({ connection, token }) => {
    for (let at = 0; at < 100; at++) connection.call(FORWARD, bearer(token)).stream.close(8);
  },
  'bytes that are no message': async ({ connection, token }) => {
    await connection.send(FORWARD, randomBytes(2000), bearer(token)).ended;
  },
  'a length that is not sent': async ({ connection, token }) => {
    const { stream } = connection.call(FORWARD, bearer(token));
    stream.write(Buffer.from([0, 0, 255, 255, 255]));
    await sleep(HOLD_MS);
    stream.destroy();
  },
  'a flood of the largest steps': async ({ remote }) => {
    const { limits, dims } = remote.connection.card;
    const sequence = Math.min(dims.maxPositions, limits.maxTokens);
    const batch = Math.min(limits.maxBatch, Math.floor(limits.maxTokens / sequence));
    const hiddenStates = f32([batch, sequence, dims.hiddenSize], new Float32Array(batch * sequence * dims.hiddenSize).fill(0.01));
    const lengths = new Array<number>(batch).fill(sequence);
    await Promise.allSettled(Array.from({ length: 8 }, () => remote.forward({ hiddenStates, lengths })));
  },
  'decode streams that stay silent': async ({ connection, token }) => {
    const calls = Array.from({ length: 64 }, () => connection.call(DECODE, bearer(token)));
    await sleep(HOLD_MS);
    for (const { stream } of calls) stream.destroy();
  },
  'decode sessions of the largest size': async ({ remote }) => {
    const { maxDecodeRows: maxRows, dims } = remote.connection.card;
    const rows = f32([maxRows, dims.hiddenSize], new Float32Array(maxRows * dims.hiddenSize).fill(0.01));
    const replay = async () => rows;
    const session = async (): Promise<void> => {
      const signal = AbortSignal.timeout(30_000);
      const opened = await RemoteSession.open(remote.connection, { maxRows, replay, signal });
      try {
        await opened.append(rows, maxRows, signal);
        await sleep(HOLD_MS);
      } finally {
        opened.close();
      }
    };
    await Promise.allSettled(Array.from({ length: 16 }, session));
  },
};
