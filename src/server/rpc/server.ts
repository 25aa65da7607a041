/** The gRPC server of gateway and coordinator: connections, admission, health, shutdown. */
import { CutlayerError } from '../../errors.js';
import type { Verifier } from '../auth/verifier.js';
import { type CallLog, callLog } from '../observability/call-log.js';
import type { Logger } from '../observability/log.js';
import type { CallMetrics, CallObservation } from '../observability/metrics.js';
import type { ServerCredentials } from '../tls/open-tls.js';
import type { CertificateUser } from '../tls/renewal.js';
import { secureContext } from '../tls/server-context.js';
import type { MessageAccount } from './byte-budget.js';
import { type CallRecorder, unrecorded } from './call-recorder.js';
import { type Call, Calls, type ServerRole } from './calls.js';
import { Connections } from './connections.js';
import { Exchanges } from './exchange.js';
import type { serverGauges } from './gauges.js';
import { Health } from './health.js';
import { createHttp2Server } from './http2-server.js';
import { explainFailures, type Interceptor, noteOutcome, stopWhenAborted } from './interceptor.js';
import { type CallLimits, defaultBounds, type ServerBounds } from './limits.js';
import { type Listening, listenAt } from './listen.js';
import { MessageMemory } from './message-memory.js';
import type { Method } from './method.js';
import type { RpcService } from './rpc-service.js';

/** The parts of a server. */
export interface RpcServerOptions {
  /** The name of the server in errors. */
  readonly role: ServerRole;
  readonly services: readonly RpcService[];
  readonly verify: Verifier;
  readonly limits: CallLimits;
  readonly credentials: ServerCredentials;
  readonly metrics: Pick<CallMetrics, 'observeCall'> & Partial<Pick<CallMetrics, 'observeTransfer'>>;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Interceptors of every handler, inside the server's own. */
  readonly interceptors?: readonly Interceptor[];
  /** Bounds other than the defaults. */
  readonly bounds?: Partial<ServerBounds>;
  /** Records calls, and refuses what it cannot record. Default: records nothing. */
  readonly recorder?: CallRecorder;
  /** A wider memory that messages are a part of. Default: none, messages have their own alone. */
  readonly account?: MessageAccount;
}

/** A server that may be listening. */
export interface RpcServer extends CertificateUser {
  /** Listens at host:port, port 0 picks one; gives the port. @throws CutlayerError IO_ERROR */
  listen(address: string): Promise<number>;
  /** NOT_SERVING, no new calls; calls in flight after `graceMs` fail as DRAINING. */
  drain(graceMs: number): Promise<void>;
  readonly draining: boolean;
  readonly inFlight: number;
  /** Calls of a tenant, admitted and not yet ended. */
  inFlightOf(tenant: string): number;
  /** Fails the calls and streams of a tenant. */
  endTenant(tenant: string, reason: CutlayerError): void;
  /** Counts for the metrics. */
  gauges(): Readonly<Record<keyof typeof serverGauges, number>>;
}

/** Time for the last answers to leave before connections are closed. */
const LAST_ANSWERS_MS = 1000;
/** Room for field tags, ids, lengths and positions beside the tensors of a message. */
const MESSAGE_OVERHEAD_BYTES = 64 * 1024;
/** Memory of messages by default, and the largest messages that it holds at least. */
const MESSAGE_MEMORY_BYTES = 2 ** 30;
const LEAST_MESSAGES = 2;

/**
 * Builds the server; `listen` starts it.
 * @throws CutlayerError INVALID_OPTION when its memory is too small for two messages
 */
export function createRpcServer(options: RpcServerOptions): RpcServer {
  const { role, services, verify, limits, credentials, metrics, log, now, account, recorder = unrecorded } = options;
  const bounds: ServerBounds = { ...defaultBounds, ...options.bounds };
  const interceptors = [noteOutcome, explainFailures(log), stopWhenAborted, ...(options.interceptors ?? [])];
  const observe = metrics.observeCall.bind(metrics);
  const lines = callLog(log);
  const onEndOf = (kind: 'call' | 'stream') => (call: CallObservation, ended: Call) => {
    observe(call);
    const told = { call: ended, kind, code: call.code, seconds: call.seconds };
    lines.ended(told);
    recorder.ended(told);
  };
  const { maxInFlight, maxInFlightPerTenant, maxInFlightOf, maxDeadlineMs } = limits;
  const maxMessageBytes = limits.maxMessageBytes + MESSAGE_OVERHEAD_BYTES;
  const memory = new MessageMemory(role, messageMemoryBytes(limits, maxMessageBytes, account), account);
  const calls = new Calls({ role, maxInFlight, maxInFlightPerTenant, maxInFlightOf, maxDeadlineMs, now, onEnd: onEndOf('call') });
  const { maxOpen, maxOpenPerTenant } = bounds.streams;
  const placesOfStreams = { maxInFlight: maxOpen, maxInFlightPerTenant: maxOpenPerTenant };
  const streams = new Calls({ role, what: 'streams', ...placesOfStreams, maxDeadlineMs, now, onEnd: onEndOf('stream') });
  const health = new Health(services.map(({ name }) => name));
  const methods = new Map<string, Method>([health, ...services].flatMap((service) => [...service.methods(interceptors)]));
  const mustBind = credentials !== 'insecure' && credentials.clientCa !== undefined;
  const exchanges = new Exchanges({
    methods,
    verify,
    calls,
    streams,
    memory,
    maxMessageBytes,
    bounds,
    now,
    mustBind,
    onRefusal: observe,
    recorder: logged(recorder, lines),
    onTransfer: (method, direction, seconds) => metrics.observeTransfer?.(method, direction, seconds),
  });
  const connections = new Connections({
    limits: bounds.connections,
    lastCallsMs: maxDeadlineMs,
    log,
    newBudget: () => memory.connection(),
    onStream: (stream, rawHeaders, connection) => void exchanges.run(stream, rawHeaders, connection),
  });
  const http2Server = createHttp2Server(credentials, bounds.connections);
  connections.serve(http2Server);

  const listening: Listening[] = [];
  let draining: Promise<void> | undefined;

  async function drain(graceMs: number): Promise<void> {
    health.stopServing();
    const idle = Promise.all([calls.drain(), streams.drain()]).then(() => undefined);
    for (const one of listening) one.close();
    connections.close();
    if (!(await within(idle, graceMs))) {
      log.warn(
        { inFlight: calls.inFlight, openStreams: streams.inFlight, graceMs },
        'calls are still in flight at the end of the grace period; they fail as DRAINING',
      );
      calls.abortAll();
      streams.abortAll();
      await within(idle, LAST_ANSWERS_MS);
    }
    // Watchers of health, and peers that do not read, keep connections open.
    await within(connections.empty(), LAST_ANSWERS_MS);
    connections.destroy();
  }

  return {
    async listen(address) {
      const one = await listenAt(address, (socket) => connections.accept(socket, http2Server));
      listening.push(one);
      return one.port;
    },
    useCertificate(files) {
      if ('setSecureContext' in http2Server) http2Server.setSecureContext(secureContext(files));
    },
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
    inFlightOf: (tenant) => calls.inFlightOf(tenant),
    endTenant(tenant, reason) {
      calls.abortTenant(tenant, reason);
      streams.abortTenant(tenant, reason);
    },
    gauges: () => ({
      inFlightCalls: calls.inFlight,
      openStreams: streams.inFlight,
      connections: connections.size,
      waitingConnections: connections.waiting,
      messageBytes: memory.heldBytes,
    }),
  };
}

/** A recorder whose refusals have lines too. */
const logged = (recorder: CallRecorder, lines: CallLog): CallRecorder => ({
  requireWritable: () => recorder.requireWritable(),
  opened: (call) => recorder.opened(call),
  answered: (call, seconds) => recorder.answered(call, seconds),
  ended: (call) => recorder.ended(call),
  refused(call) {
    lines.refused(call);
    recorder.refused(call);
  },
});

/** The configured memory of messages. @throws CutlayerError INVALID_OPTION */
function messageMemoryBytes({ messageMemoryBytes: given }: CallLimits, maxMessageBytes: number, account?: MessageAccount): number {
  const least = LEAST_MESSAGES * maxMessageBytes;
  if (given === undefined) return Math.max(Math.min(MESSAGE_MEMORY_BYTES, account?.limitBytes ?? MESSAGE_MEMORY_BYTES), least);
  if (given >= least) return given;
  throw new CutlayerError(
    'INVALID_OPTION',
    `--message-memory: expected at least ${least} bytes, two of the largest messages, got ${given}; raise it, or allow smaller messages`,
  );
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
