/** The gRPC server of gateway and coordinator: admission, health, flow control, shutdown. */
import { Server, type ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { CutlayerError } from '../../errors.js';
import { serverChannelOptions } from '../../protocol/wire/channel.js';
import { applyFlowControl } from '../../protocol/wire/flow-control.js';
import type { Verifier } from '../auth/verifier.js';
import type { Logger } from '../observability/log.js';
import type { CallMetrics } from '../observability/metrics.js';
import { type AdmittedCalls, admitInterceptor } from './admit.js';
import { Calls, type ServerRole } from './calls.js';
import { explainFailures, type Interceptor, noteOutcome, stopWhenAborted } from './interceptor.js';
import type { CallLimits } from './limits.js';
import type { RpcService } from './rpc-service.js';

/** The parts of a server. */
export interface RpcServerOptions {
  /** The name of the server in errors. */
  readonly role: ServerRole;
  readonly services: readonly RpcService[];
  readonly verify: Verifier;
  readonly limits: CallLimits;
  readonly credentials: ServerCredentials;
  readonly metrics: Pick<CallMetrics, 'observeCall'>;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Interceptors of every handler, inside the server's own. */
  readonly interceptors?: readonly Interceptor[];
}

/** A server that may be listening. */
export interface RpcServer {
  /** Listens at host:port, port 0 picks one; gives the port. @throws CutlayerError IO_ERROR */
  listen(address: string): Promise<number>;
  /** NOT_SERVING, no new calls; calls in flight after `graceMs` fail as DRAINING. */
  drain(graceMs: number): Promise<void>;
  readonly draining: boolean;
  readonly inFlight: number;
}

/** Time for the last answers to leave before connections are closed. */
const LAST_ANSWERS_MS = 1000;

/** Builds the server; `listen` starts it. */
export function createRpcServer(options: RpcServerOptions): RpcServer {
  const { role, services, verify, limits, credentials, metrics, log, now } = options;
  const interceptors = [noteOutcome, explainFailures(log), stopWhenAborted, ...(options.interceptors ?? [])];
  const observe = metrics.observeCall.bind(metrics);
  const { maxInFlight, maxInFlightPerTenant, maxDeadlineMs } = limits;
  const calls = new Calls({ role, maxInFlight, maxInFlightPerTenant, maxDeadlineMs, now, onEnd: observe });
  const admitted: AdmittedCalls = new WeakMap();
  const names = services.map(({ name }) => name);
  const server = new Server({
    ...serverChannelOptions(limits),
    interceptors: [admitInterceptor({ services: names, calls, admitted, verify, onRefusal: observe })],
  });
  applyFlowControl(server);
  for (const service of services) server.addService(service.definition, service.implement(admitted, interceptors));
  const health = new HealthImplementation(Object.fromEntries(['', ...names].map((name) => [name, 'SERVING' as const])));
  health.addToServer(server);

  let draining: Promise<void> | undefined;

  async function drain(graceMs: number): Promise<void> {
    for (const name of ['', ...names]) health.setStatus(name, 'NOT_SERVING');
    const idle = calls.drain();
    const closed = new Promise<void>((resolve) => {
      server.tryShutdown(() => resolve());
    });
    if (!(await within(idle, graceMs))) {
      log.warn({ inFlight: calls.inFlight, graceMs }, 'calls are still in flight at the end of the grace period; they fail as DRAINING');
      calls.abortAll();
      await within(idle, LAST_ANSWERS_MS);
    }
    // Health watchers keep connections open; all other calls have been answered.
    if (!(await within(closed, LAST_ANSWERS_MS))) server.forceShutdown();
  }

  return {
    listen: (address) =>
      new Promise((resolve, reject) => {
        server.bindAsync(address, credentials, (cause, port) => {
          if (cause === null) resolve(port);
          else {
            const busy = cause.message.includes('EADDRINUSE')
              ? '; the port is in use: choose another --listen (port 0 picks a free one)'
              : '';
            reject(new CutlayerError('IO_ERROR', `listen ${address}: ${cause.message}${busy}`, { cause }));
          }
        });
      }),
    drain(graceMs) {
      draining ??= drain(graceMs);
      return draining;
    },
    get draining() {
      return draining !== undefined;
    },
    get inFlight() {
      return calls.inFlight;
    },
  };
}

/** Whether a promise settles in time. */
async function within(promise: Promise<void>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
