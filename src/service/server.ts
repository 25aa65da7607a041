/** The gateway's gRPC server: the split service behind admission, health, flow control, and a graceful end. */
import { Server, type ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import type { Verifier } from '../auth/verifier.js';
import { CutlayerError } from '../errors.js';
import type { Logger } from '../observability/log.js';
import type { GatewayMetrics } from '../observability/metrics.js';
import type { Engine } from '../runtime/engine.js';
import { serverChannelOptions } from '../wire/channel.js';
import { applyFlowControl } from '../wire/flow-control.js';
import { splitRequestLayouts } from '../wire/split-layouts.js';
import { loadSplitService, SPLIT_SERVICE } from '../wire/split-service.js';
import { Calls } from './calls.js';
import { splitHandlers } from './handlers.js';
import { type AdmittedCalls, admitInterceptor } from './interceptors/admit.js';
import type { ServiceLimits } from './limits.js';
import { unary } from './unary.js';

/** What a gateway server is made of. */
export interface GatewayServerOptions {
  readonly engine: Engine;
  readonly verify: Verifier;
  readonly limits: ServiceLimits;
  readonly credentials: ServerCredentials;
  readonly metrics: GatewayMetrics;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A server that may be listening. */
export interface GatewayServer {
  /** Starts listening. @param address host:port; port 0 picks one. @returns the port. @throws CutlayerError IO_ERROR */
  listen(address: string): Promise<number>;
  /** NOT_SERVING, no new connections or calls; those in flight have `graceMs` to end, then they fail as DRAINING. */
  drain(graceMs: number): Promise<void>;
  readonly draining: boolean;
  readonly inFlight: number;
}

/** Time for the last answers to leave, after which connections are cut. */
const LAST_ANSWERS_MS = 1000;

const identity = (bytes: Buffer): Buffer => bytes;

/** Builds the server; `listen` starts it. */
export function createGatewayServer({ engine, verify, limits, credentials, metrics, log, now }: GatewayServerOptions): GatewayServer {
  const observe = metrics.observeCall.bind(metrics);
  const calls = new Calls({ ...limits, now, onEnd: observe });
  const admitted: AdmittedCalls = new WeakMap();
  const server = new Server({
    ...serverChannelOptions(limits),
    interceptors: [admitInterceptor({ calls, admitted, verify, onRefusal: observe })],
  });
  applyFlowControl(server);

  const { service } = loadSplitService();
  const layouts = splitRequestLayouts(limits.maxTokens);
  const handlers = splitHandlers(engine, limits);
  server.addService(rawService(service), {
    GetModel: unary({ definition: service.GetModel, layout: layouts.GetModel, admitted, log, run: handlers.getModel }),
    Forward: unary({ definition: service.Forward, layout: layouts.Forward, admitted, log, run: handlers.forward }),
    Backward: unary({ definition: service.Backward, layout: layouts.Backward, admitted, log, run: handlers.backward }),
    KeyValues: unary({ definition: service.KeyValues, layout: layouts.KeyValues, admitted, log, run: handlers.keyValues }),
  });
  const health = new HealthImplementation({ '': 'SERVING', [SPLIT_SERVICE]: 'SERVING' });
  health.addToServer(server);

  let draining: Promise<void> | undefined;

  async function drain(graceMs: number): Promise<void> {
    health.setStatus('', 'NOT_SERVING');
    health.setStatus(SPLIT_SERVICE, 'NOT_SERVING');
    const idle = calls.drain();
    const closed = new Promise<void>((resolve) => {
      server.tryShutdown(() => resolve());
    });
    if (!(await within(idle, graceMs))) {
      log.warn({ inFlight: calls.inFlight, graceMs }, 'calls are still in flight at the end of the grace period; they fail as DRAINING');
      calls.abortAll();
      await within(idle, LAST_ANSWERS_MS);
    }
    // Health watchers keep connections open for ever; everyone else has been answered.
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

/** The service with messages left as bytes. */
function rawService(service: ServiceDefinition): ServiceDefinition {
  const raw = Object.entries(service).map(([name, method]) => [
    name,
    { ...method, requestDeserialize: identity, responseSerialize: identity },
  ]);
  return Object.fromEntries(raw) as ServiceDefinition;
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
