/** A client's connection to a gateway: channel, token, deadlines, cancellation and counters. */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { type ClientUnaryCall, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { CutlayerError } from '../../src/errors.js';
import { clientChannelOptions } from '../../src/wire/channel.js';
import { loadSplitService } from '../../src/wire/split-service.js';
import { fromServiceError } from '../../src/wire/status.js';
import type { WireDType } from '../../src/wire/wire-dtype.js';
import { checkWireDType, type ModelCard, parseModelCard } from './model-card.js';
import { type RetryNotice, type RetryPolicy, retrying } from './retry.js';
import { type TokenOptions, type TokenSource, tokenSource } from './token-source.js';

/** How to reach a gateway. */
export interface ConnectOptions extends TokenOptions {
  /** `host:port` */
  readonly address: string;
  /** PEM text, or the path of a PEM file, of the authority that signed the gateway's certificate; default: the system's. */
  readonly ca?: string;
  /** Plain text instead of TLS: only for a gateway on this machine or behind a proxy that adds TLS. */
  readonly insecure?: boolean;
  /** Element type of tensors on the wire. Default f32. */
  readonly wireDtype?: WireDType;
  /** Deadline of each call. Default 120,000, or the gateway's limit if that is less. */
  readonly deadlineMs?: number;
  readonly retry?: RetryPolicy;
  /** Told of every call that will be repeated. */
  readonly onRetry?: (notice: RetryNotice) => void;
  readonly signal?: AbortSignal;
}

/** Tensor payload bytes that have crossed, framing apart, and calls that had to be repeated. */
export interface WireCounters {
  bytesUp: number;
  bytesDown: number;
  retries: number;
}

/** The methods of the split service that a client calls. */
type SplitClient = InstanceType<ReturnType<typeof loadSplitService>>;

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { deadline: Date },
  done: (error: ServiceError | null, response?: Response) => void,
) => ClientUnaryCall;

/** An open connection. */
export class Connection {
  readonly address: string;
  readonly card: ModelCard;
  readonly wireDtype: WireDType;
  readonly counters: WireCounters = { bytesUp: 0, bytesDown: 0, retries: 0 };
  readonly #client: SplitClient;
  readonly #token: TokenSource;
  readonly #options: ConnectOptions;

  /** Use {@link connect}. */
  constructor(client: SplitClient, token: TokenSource, options: ConnectOptions, card: ModelCard) {
    this.address = options.address;
    this.card = card;
    this.wireDtype = options.wireDtype ?? 'f32';
    this.#client = client;
    this.#token = token;
    this.#options = options;
  }

  /**
   * One call, repeated by the error table until it succeeds or `retry.retryForMs` has passed.
   * @throws CutlayerError what the gateway said; UNAVAILABLE; DEADLINE_EXCEEDED; CANCELLED
   */
  call<Request, Response>(
    method: (client: SplitClient) => Unary<Request, Response>,
    request: Request,
    signal?: AbortSignal,
  ): Promise<Response> {
    const deadlineMs = Math.min(this.#options.deadlineMs ?? 120_000, this.card.limits.maxDeadlineMs);
    return retryingCall(this.#client, method(this.#client), request, this.#token, deadlineMs, this.#options, signal, this.counters);
  }

  /** Closes the channel; calls under way fail with CANCELLED or UNAVAILABLE. */
  close(): void {
    this.#client.close();
  }
}

/** A gateway that does not answer at first is rather a wrong address than a restart: wait less for it than later. */
const MAX_FIRST_WAIT_MS = 20_000;

/**
 * Connects and fetches the model card.
 * @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND (token or CA file), UNAVAILABLE, CERTIFICATE_REJECTED, TOKEN_*, SCOPE_MISSING
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  if (!/^.+:\d+$/.test(options.address)) {
    throw new CutlayerError('INVALID_ARGUMENT', `gateway address: expected host:port, got ${options.address}`);
  }
  const token = tokenSource(options);
  const client = new (loadSplitService())(options.address, await channelCredentials(options), {
    ...clientChannelOptions(),
    ...(isIP(hostOf(options.address)) > 0 ? { 'grpc.ssl_target_name_override': NO_NAME } : {}),
  });
  try {
    const deadlineMs = Math.min(options.deadlineMs ?? 30_000, 30_000);
    const answer = await retryingCall(
      client,
      unary<object, Parameters<typeof parseModelCard>[0]>(client.GetModel, client),
      {},
      token,
      deadlineMs,
      { ...options, retry: { ...options.retry, retryForMs: Math.min(options.retry?.retryForMs ?? MAX_FIRST_WAIT_MS, MAX_FIRST_WAIT_MS) } },
      options.signal,
    );
    const card = parseModelCard(answer);
    checkWireDType(card, options.wireDtype ?? 'f32');
    return new Connection(client, token, options, card);
  } catch (error) {
    client.close();
    throw error;
  }
}

/**
 * TLS sends no address as server name (RFC 6066), and node warns when asked to. So a gateway that is reached by its address is asked for under a
 * name that means nothing, and its certificate is checked against the address.
 */
const NO_NAME = 'gateway.invalid';

function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

async function channelCredentials({ ca, insecure, address }: ConnectOptions) {
  if (insecure === true) {
    if (ca !== undefined) throw new CutlayerError('INVALID_ARGUMENT', `connect ${address}: either a CA or insecure, not both`);
    return credentials.createInsecure();
  }
  const host = hostOf(address);
  const verify =
    isIP(host) === 0 ? {} : { checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate) };
  if (ca === undefined) return credentials.createSsl(null, null, null, verify);
  const pem = ca.includes('-----BEGIN')
    ? Buffer.from(ca)
    : await readFile(ca).catch((cause: unknown) => {
        throw new CutlayerError('NOT_FOUND', `${ca}: no CA file; the gateway prints the path of its development CA at start`, { cause });
      });
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `${ca}: expected a PEM file with a certificate; the gateway prints the path of its development CA at start`,
    );
  }
  return credentials.createSsl(pem, null, null, verify);
}

/** Binds a generated method, leaving one of its overloads. */
function unary<Request, Response>(method: unknown, client: SplitClient): Unary<Request, Response> {
  // Every method of the generated client has this overload.
  return (method as Unary<Request, Response>).bind(client) as Unary<Request, Response>;
}

/** The Forward method, for {@link Connection.call}. */
export function forwardMethod<Request, Response>(client: SplitClient): Unary<Request, Response> {
  return unary(client.Forward, client);
}

/** The Backward method, for {@link Connection.call}. */
export function backwardMethod<Request, Response>(client: SplitClient): Unary<Request, Response> {
  return unary(client.Backward, client);
}

/** The KeyValues method, for {@link Connection.call}. */
export function keyValuesMethod<Request, Response>(client: SplitClient): Unary<Request, Response> {
  return unary(client.KeyValues, client);
}

function retryingCall<Request, Response>(
  client: SplitClient,
  method: Unary<Request, Response>,
  request: Request,
  token: TokenSource,
  deadlineMs: number,
  options: ConnectOptions,
  signal?: AbortSignal,
  counters?: WireCounters,
): Promise<Response> {
  const attempt = async (): Promise<Response> => {
    try {
      return await once(method, request, await token(false), deadlineMs, options, signal);
    } catch (caught) {
      const error = CutlayerError.from(caught);
      if (error.code !== 'TOKEN_EXPIRED' || options.token !== undefined) throw error;
      return once(method, request, await token(true), deadlineMs, options, signal);
    }
  };
  return retrying(attempt, options.retry ?? {}, {
    signal,
    onRetry: (notice) => {
      if (counters !== undefined) counters.retries += 1;
      // A channel that lost its server waits long before it looks again; the caller is waiting now.
      client.getChannel().getConnectivityState(true);
      options.onRetry?.(notice);
    },
  });
}

/** What grpc-js says of a connection that never came about, in words that help. */
function explainTransport(
  error: CutlayerError,
  { address, insecure = false }: Pick<ConnectOptions, 'address' | 'insecure'>,
): CutlayerError {
  if (error.code !== 'UNAVAILABLE') return error;
  const [reason = ''] = error.message
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .split(/ Resolution note:|\. Cert:/);
  if (/certificate|altnames|self[- ]signed/i.test(reason)) {
    return new CutlayerError(
      'CERTIFICATE_REJECTED',
      `gateway ${address}: its certificate is not trusted (${reason.replace(/\.$/, '')}); pass the authority that signed it as CA, and reach the gateway by a name in the certificate`,
      { cause: error },
    );
  }
  const other = otherProtocol(reason, insecure);
  if (other !== undefined) return new CutlayerError('UNAVAILABLE', `gateway ${address}: ${other}`, { cause: error });
  return reason === error.message
    ? error
    : new CutlayerError('UNAVAILABLE', `gateway ${address} does not answer: ${reason}`, { cause: error });
}

/** What a failed handshake says of who listens there; undefined when nothing. */
function otherProtocol(reason: string, insecure: boolean): string | undefined {
  if (!insecure && /wrong version number|packet length too long/.test(reason))
    return 'what listens there does not speak TLS; use the address of --listen, not of --admin, and pass --insecure for a gateway that was started with it';
  if (insecure && reason.startsWith('Protocol error'))
    return 'what listens there does not speak gRPC; use the address of --listen, not of --admin';
  if (insecure && reason.startsWith('Failed to connect'))
    return 'what listens there ended the connection, as a gateway with TLS does; leave --insecure out, and pass the CA of its certificate (--ca)';
  return undefined;
}

function once<Request, Response>(
  method: Unary<Request, Response>,
  request: Request,
  token: string,
  deadlineMs: number,
  gateway: Pick<ConnectOptions, 'address' | 'insecure'>,
  signal?: AbortSignal,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new CutlayerError('CANCELLED', 'the call was cancelled before it was sent'));
      return;
    }
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    const cancel = () => call.cancel();
    const call = method(request, metadata, { deadline: new Date(Date.now() + deadlineMs) }, (error, response) => {
      signal?.removeEventListener('abort', cancel);
      if (error !== null) reject(explainTransport(fromServiceError(error), gateway));
      else resolve(response as Response);
    });
    signal?.addEventListener('abort', cancel, { once: true });
  });
}
