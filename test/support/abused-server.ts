/** A server under attack in a process of its own, with its memory in view and an honest client beside the attacker. */
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { ClientHttp2Stream } from 'node:http2';
import { type CoordinatorProcess, startCoordinator } from './coordinator-process.js';
import { type GatewayProcess, startGateway } from './gateway-process.js';
import { peakBytes, processorMs, residentBytes } from './process-memory.js';
import { connectRaw, framed, type RawConnection } from './raw-grpc.js';
import { tinyBackbone } from './tiny-backbone.js';

/** Paths of methods. */
export const paths = {
  check: '/grpc.health.v1.Health/Check',
  watch: '/grpc.health.v1.Health/Watch',
  getModel: '/cutlayer.v1.Split/GetModel',
  forward: '/cutlayer.v1.Split/Forward',
  submit: '/cutlayer.v1.Federation/Submit',
} as const;

/** A server to attack. */
export interface AbusedServer {
  readonly address: string;
  readonly pid: number;
  /** Metadata of an honest call. */
  honest(tenant: string): Promise<Record<string, string>>;
  connect(options?: { readonly window?: number }): RawConnection;
  /** Forgets the peak of resident memory (proc(5), clear_refs). @returns reads by how many bytes memory has grown at most since then */
  watchMemory(): () => number;
  /** Reads how many milliseconds of processor time the server has used since this call. */
  watchProcessor(): () => number;
  stop(): Promise<void>;
}

function abused(address: string, server: Pick<GatewayProcess | CoordinatorProcess, 'pid' | 'token' | 'stop'>): AbusedServer {
  const opened: RawConnection[] = [];
  return {
    address,
    pid: server.pid,
    honest: async (tenant) => ({ authorization: `Bearer ${await server.token(tenant)}`, 'grpc-timeout': '20S' }),
    connect(options) {
      const connection = connectRaw(address, options);
      opened.push(connection);
      return connection;
    },
    watchMemory() {
      writeFileSync(`/proc/${server.pid}/clear_refs`, '5');
      const before = residentBytes(server.pid);
      return () => peakBytes(server.pid) - before;
    },
    watchProcessor() {
      const before = processorMs(server.pid);
      return () => processorMs(server.pid) - before;
    },
    async stop() {
      for (const connection of opened) connection.close();
      await server.stop();
    },
  };
}

/** A gateway of a tiny backbone, whose largest message is about 180 MB. */
export async function startAbusedGateway(...flags: readonly string[]): Promise<AbusedServer> {
  const { dir } = await tinyBackbone({ hiddenSize: 8, numLayers: 2 });
  const gateway = await startGateway({ backboneDir: dir, insecure: true, flags: ['--max-tokens', '4194304', ...flags] });
  const server = abused(gateway.address, gateway);
  return {
    ...server,
    async stop() {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A coordinator; its largest message is 256 MiB. */
export async function startAbusedCoordinator(...flags: readonly string[]): Promise<AbusedServer> {
  const coordinator = await startCoordinator({ flags: ['--insecure', ...flags] });
  return abused(coordinator.ready.listen, coordinator);
}

/** Makes an honest health check on a connection of its own. @throws when it is not answered well */
export async function checkHealth(server: AbusedServer): Promise<void> {
  const { status, message } = await server.connect().send(paths.check, Buffer.alloc(0)).ended;
  if (status !== 0) throw new Error(`health: got status ${status}: ${message}`);
}

/** Writes to a stream as fast as it takes, until all is written or it ends. */
export async function pour(stream: ClientHttp2Stream, chunk: Buffer, times: number): Promise<void> {
  for (let at = 0; at < times && !stream.closed && !stream.destroyed; at++) {
    await new Promise<void>((resolve) => stream.write(chunk, () => resolve()));
  }
}

export { framed };
