/**
 * A server of one method, unary and as a stream, on loopback; a test chooses bounds, tokens and
 * answers.
 */
import { CutlayerError } from '../../src/errors.js';
import type { Principal } from '../../src/server/auth/scopes.js';
import type { Verifier } from '../../src/server/auth/verifier.js';
import { createLogger } from '../../src/server/observability/log.js';
import type { CallObservation } from '../../src/server/observability/metrics.js';
import type { CallRecorder } from '../../src/server/rpc/call-recorder.js';
import type { Call } from '../../src/server/rpc/calls.js';
import { intercepted } from '../../src/server/rpc/interceptor.js';
import type { CallLimits, ServerBounds } from '../../src/server/rpc/limits.js';
import type { GuardedMethod, Method, StreamMethod } from '../../src/server/rpc/method.js';
import { createRpcServer, type RpcServer } from '../../src/server/rpc/server.js';
import type { ServerCredentials } from '../../src/server/tls/open-tls.js';
import { connectRaw, type RawConnection, type RawOptions } from './raw-grpc.js';

/** The path of the method. */
export const ECHO = '/test.Rig/Echo';

/** The path of the same method for messages without end. */
export const ECHOES = '/test.Rig/Echoes';

/** What a test chooses. */
export interface RigOptions {
  readonly limits?: Partial<CallLimits>;
  readonly bounds?: Partial<ServerBounds>;
  /** The answer; by default the request itself. */
  readonly answer?: (request: Buffer, call: Call) => Promise<Buffer>;
  /** Told of each stream that has ended. */
  readonly ended?: (call: Call) => void;
  /** Checks a token; by default the token is the tenant's name, and lasts an hour. */
  readonly verify?: Verifier;
  /** By default nothing is recorded. */
  readonly recorder?: CallRecorder;
  /** By default there is no TLS. */
  readonly credentials?: ServerCredentials;
}

/** A running server. */
export interface Rig {
  readonly server: RpcServer;
  readonly address: string;
  readonly observed: CallObservation[];
  connect(options?: RawOptions): RawConnection;
  close(): Promise<void>;
}

/** Headers of a call of a tenant. */
export const as = (tenant: string): Record<string, string> => ({ authorization: `Bearer ${tenant}`, 'grpc-timeout': '60S' });

/** A tenant whose token lasts for a time. */
export const principal = (tenant: string, lastsMs = 3_600_000): Principal => ({
  tenant,
  scopes: new Set(),
  tokenId: tenant,
  expiresAt: Date.now() + lastsMs,
});

/** Starts one. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const {
    limits,
    bounds = {},
    answer = async (request) => request,
    ended = () => undefined,
    verify,
    recorder,
    credentials = 'insecure',
  } = options;
  const observed: CallObservation[] = [];
  const server = createRpcServer({
    role: 'gateway',
    services: [
      {
        name: 'test.Rig',
        methods: (interceptors) => {
          const run: GuardedMethod['run'] = (request, call) => {
            call.outcome.bytesIn += request.length;
            return intercepted(interceptors, call, () => answer(request, call));
          };
          const open: StreamMethod['open'] = (call) => ({ answer: (request) => run(request, call), end: () => ended(call) });
          return new Map<string, Method>([
            [ECHO, { kind: 'guarded', name: 'Echo', run }],
            [ECHOES, { kind: 'stream', name: 'Echoes', open }],
          ]);
        },
      },
    ],
    verify:
      verify ??
      (async (token) => {
        if (token === 'wrong') throw new CutlayerError('TOKEN_INVALID', 'token: invalid');
        return principal(token);
      }),
    limits: { maxMessageBytes: 2 ** 20, maxDeadlineMs: 60_000, maxInFlight: 64, ...limits },
    bounds,
    ...(recorder && { recorder }),
    credentials,
    metrics: { observeCall: (call) => void observed.push(call) },
    log: createLogger({ level: 'silent' }),
    now: Date.now,
  });
  const address = `127.0.0.1:${await server.listen('127.0.0.1:0')}`;
  const opened: RawConnection[] = [];
  return {
    server,
    address,
    observed,
    connect(options) {
      const connection = connectRaw(address, options);
      opened.push(connection);
      return connection;
    },
    async close() {
      for (const connection of opened) connection.close();
      await server.drain(0);
    },
  };
}
