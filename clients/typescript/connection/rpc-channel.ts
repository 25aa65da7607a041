/** A channel to any service: TLS, token, deadlines, cancellation and repetition. */
import { type CallOptions, Client, type ClientOptions, type Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { clientChannelOptions } from '../../../src/protocol/wire/channel.js';
import { type AttestationOptions, AttestedClients } from './attestation/attested-clients.js';
import type { Attested } from './attestation/policy.js';
import type { CallProver } from './call-prover.js';
import { channelCredentials, nameOptions, pinnedCredentials } from './channel-credentials.js';
import { type CertificateOptions, readClientCertificate } from './client-certificate.js';
import { type ClientSource, oneClient } from './client-source.js';
import { type MessageStream, openMessageStream } from './message-stream.js';
import { type RetryNotice, type RetryPolicy, retrying } from './retry.js';
import { checkAddress, isOwnMachine } from './server-address.js';
import { type TokenOptions, type TokenSource, tokenSource } from './token-source.js';
import { type Peer, type Unary, unaryCall } from './unary-call.js';

/** How to reach a server. */
export interface ChannelOptions extends TokenOptions, CertificateOptions {
  /** `host:port` */
  readonly address: string;
  /** CA of the server's certificate: PEM text or a PEM file's path. Default: the system's. */
  readonly ca?: string | undefined;
  /** Plain text instead of TLS: only for a local server or behind a proxy that adds TLS. */
  readonly insecure?: boolean;
  /** Deadline of each call. Default 120,000. */
  readonly deadlineMs?: number;
  readonly retry?: RetryPolicy;
  /** Demanded of the server's code before anything but a token is sent. Only gateways have it. */
  readonly attestation?: AttestationOptions | undefined;
  /** Proves each call, where the server asks for it. */
  readonly prover?: CallProver;
  /** Told of every call that will be repeated. */
  readonly onRetry?: (notice: RetryNotice) => void;
}

/** Overrides of the channel's options for one call. */
export interface ChannelCallOptions {
  readonly deadlineMs?: number | undefined;
  readonly retry?: RetryPolicy | undefined;
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The part of a generated service definition that a client needs: its methods by name. */
type MethodName<Definition> = keyof Definition & string;
type RequestOf<Method> = Method extends { requestSerialize: (request: infer Request) => Buffer } ? Request : never;
type ResponseOf<Method> = Method extends { responseDeserialize: (bytes: Buffer) => infer Response } ? Response : never;
/** Generated definitions have an index signature beside their methods; this leaves the methods. */
export type MethodsOf<Definition> = {
  [M in keyof Definition as string extends M ? never : M]: Definition[M];
};

const DEFAULT_DEADLINE_MS = 120_000;

/** An open channel. `Definition`: the service's generated one, without index signature. */
export class RpcChannel<Definition> {
  readonly address: string;
  readonly #clients: ClientSource;
  readonly #definition: Definition;
  readonly #peer: Peer;
  readonly #token: TokenSource;
  readonly #options: ChannelOptions;

  /** Use `openChannel`. */
  constructor(clients: ClientSource, definition: Definition, peer: Peer, token: TokenSource, options: ChannelOptions) {
    this.address = options.address;
    this.#clients = clients;
    this.#definition = definition;
    this.#peer = peer;
    this.#token = token;
    this.#options = options;
  }

  /** What was verified of the server's code last; undefined where nothing is demanded. */
  get attested(): Attested | undefined {
    return this.#clients.attested;
  }

  /**
   * One call, repeated by the error table until it succeeds or `retry.retryForMs` has passed.
   * @throws CutlayerError what the server said; UNAVAILABLE; CERTIFICATE_REJECTED;
   *   DEADLINE_EXCEEDED; CANCELLED; TOKEN_*
   */
  call<M extends MethodName<Definition>>(
    method: M,
    request: RequestOf<Definition[M]>,
    options: ChannelCallOptions = {},
  ): Promise<ResponseOf<Definition[M]>> {
    const { deadlineMs = this.#options.deadlineMs ?? DEFAULT_DEADLINE_MS, signal } = options;
    const { prover, token: fixedToken } = this.#options;
    const { serialize, send } = this.#unary<RequestOf<Definition[M]>, ResponseOf<Definition[M]>>(method);
    const once = async (fresh: boolean): Promise<ResponseOf<Definition[M]>> => {
      const message = serialize(request);
      if (fresh) await this.#token(true);
      const proof = await prover?.prove({ method, message, deadlineMs, signal });
      // After the proof, whose challenge may have needed a fresh token.
      const token = await this.#token(false);
      const client = await this.#clients.ready({ token, deadlineMs, signal });
      return unaryCall(send(client), message, { token, proof, deadlineMs, signal, ...this.#peer });
    };
    const attempt = async (renewed: readonly ErrorCode[] = []): Promise<ResponseOf<Definition[M]>> => {
      try {
        return await once(renewed.at(-1) === 'TOKEN_EXPIRED');
      } catch (caught) {
        const error = CutlayerError.from(caught);
        const { code } = error;
        // Once each: another token for an expired one, another proof for a refused one.
        const renews =
          ((code === 'TOKEN_EXPIRED' || code === 'TOKEN_INVALID') && fixedToken === undefined) ||
          (code === 'PROOF_REFUSED' && prover !== undefined);
        if (!renews || renewed.includes(code)) throw error;
        // The server may have new keys: another token is worth a call, the same one is not.
        if (code === 'TOKEN_INVALID' && (await this.#token(false)) === (await this.#token(true))) throw error;
        if (code === 'PROOF_REFUSED') prover?.renew();
        return attempt([...renewed, code]);
      }
    };
    const tell = options.onRetry ?? this.#options.onRetry;
    return retrying(() => attempt(), options.retry ?? this.#options.retry ?? {}, {
      signal,
      onRetry: (notice) => {
        // The caller waits now; by itself a channel that lost its server reconnects late.
        this.#clients.reconnect();
        tell?.(notice);
      },
    });
  }

  /**
   * Opens a stream, which is not repeated: the caller knows what was answered.
   * @param fresh with a token that is asked for again
   * @throws CutlayerError NOT_FOUND, TOKEN_INVALID (no token to be had)
   */
  async stream<M extends MethodName<Definition>>(
    method: M,
    { deadlineMs, fresh = false }: { readonly deadlineMs: number; readonly fresh?: boolean },
  ): Promise<MessageStream<RequestOf<Definition[M]>, ResponseOf<Definition[M]>>> {
    const token = await this.#token(fresh);
    const client = await this.#clients.ready({ token, deadlineMs });
    const { path, requestSerialize, responseDeserialize } = this.#method<RequestOf<Definition[M]>, ResponseOf<Definition[M]>>(method);
    const start = (metadata: Metadata, options: CallOptions) =>
      client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, options);
    return openMessageStream(start, { token, deadlineMs, ...this.#peer });
  }

  /** Closes the channel; calls under way fail with CANCELLED or UNAVAILABLE. */
  close(): void {
    this.#clients.close();
  }

  #method<Request, Response>(method: MethodName<Definition>): MethodDefinition<Request, Response> {
    // Every value of a generated definition is a method, with the types that the caller sees.
    return this.#definition[method] as MethodDefinition<Request, Response>;
  }

  #unary<Request, Response>(method: MethodName<Definition>) {
    const { path, requestSerialize, responseDeserialize } = this.#method<Request, Response>(method);
    const send =
      (client: Client): Unary<Buffer, Response> =>
      (message, metadata, options, done) =>
        client.makeUnaryRequest(path, (bytes: Buffer) => bytes, responseDeserialize, message, metadata, options, done);
    return { serialize: requestSerialize, send };
  }
}

/**
 * Opens a channel; nothing is sent before the first call.
 * @param service the generated definition, as `loadSplitService().service`
 * @param role what to call the server in errors
 * @throws CutlayerError INVALID_ARGUMENT (address, CA, client certificate, token options),
 *   NOT_FOUND (their files)
 */
export async function openChannel<Definition>(
  service: Definition,
  role: Peer['role'],
  options: ChannelOptions,
): Promise<RpcChannel<MethodsOf<Definition>>> {
  const { address, insecure = false } = options;
  checkAddress(address, role);
  // Read once: a token is bound to the certificate that the channel shows.
  const certificate = await readClientCertificate(options);
  const token = tokenSource({ ...options, clientCert: certificate?.cert, clientKey: certificate?.key }, role);
  const peer = { role, address, insecure };
  const settings = {
    ...clientChannelOptions(),
    ...nameOptions(address),
    ...(isOwnMachine(address) && { 'grpc.enable_http_proxy': 0 }),
  } satisfies ClientOptions;
  const { attestation } = options;
  if (attestation === undefined) {
    const client = new Client(address, await channelCredentials({ ...options, certificate }, role), settings);
    return new RpcChannel<MethodsOf<Definition>>(oneClient(client), service, peer, token, options);
  }
  if (insecure) throw new CutlayerError('INVALID_ARGUMENT', `connect ${address}: attestation binds the key of TLS; expected no insecure`);
  const credentials = await pinnedCredentials({ ...options, certificate }, role);
  const clients = new AttestedClients((pin) => new Client(address, credentials(pin), settings), peer, attestation);
  return new RpcChannel<MethodsOf<Definition>>(clients, service, peer, token, options);
}
