/** A gRPC server of one method that answers with the bytes it was sent, for measuring a link. */
import {
  type ChannelOptions,
  Client,
  type ClientOptions,
  credentials,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { clientChannelOptions } from '../../src/protocol/wire/channel.js';
import { createLogger } from '../../src/server/observability/log.js';
import { defaultBounds } from '../../src/server/rpc/limits.js';
import { createRpcServer } from '../../src/server/rpc/server.js';

const bytes = (value: Buffer): Buffer => value;
const METHOD = {
  path: '/echo.Echo/Echo',
  requestStream: false,
  responseStream: false,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
} as const;

/** A listening echo. */
export interface EchoServer {
  readonly port: number;
  close(): void;
}

const MAX_MESSAGE_BYTES = 2 ** 28;

/** @param ours whether it is the server of gateways, rather than one of grpc-js as it comes */
export async function startEchoServer({ ours }: { readonly ours: boolean }): Promise<EchoServer> {
  if (ours) return startOurs();
  const server = new Server({ 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES });
  const service: ServiceDefinition = { Echo: METHOD };
  server.addService(service, {
    Echo: (call: { request: Buffer }, reply: (error: null, value: Buffer) => void) => reply(null, call.request),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return { port, close: () => server.forceShutdown() };
}

async function startOurs(): Promise<EchoServer> {
  const server = createRpcServer({
    role: 'gateway',
    services: [
      { name: 'echo.Echo', methods: () => new Map([[METHOD.path, { kind: 'open', watches: false, run: (request) => [request] }]]) },
    ],
    verify: () => Promise.reject(new Error('no method here asks for a token')),
    limits: { maxMessageBytes: MAX_MESSAGE_BYTES, maxDeadlineMs: 60_000, maxInFlight: 64 },
    bounds: { open: { ...defaultBounds.open, maxMessageBytes: MAX_MESSAGE_BYTES, maxDeadlineMs: 60_000 } },
    credentials: 'insecure',
    metrics: { observeCall: () => undefined },
    log: createLogger({ level: 'silent' }),
    now: Date.now,
  });
  return { port: await server.listen('127.0.0.1:0'), close: () => void server.drain(0) };
}

/** A client of the echo. */
export interface EchoClient {
  /** Sends and receives a payload. @returns milliseconds */
  echo(payload: Buffer): Promise<number>;
  close(): void;
}

/** @param options channel options; those of the client library by default */
export function connectEcho(port: number, options: ChannelOptions = clientChannelOptions()): EchoClient {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options as ClientOptions);
  return {
    echo: (payload) =>
      new Promise((resolve, reject) => {
        const start = performance.now();
        client.makeUnaryRequest(METHOD.path, bytes, bytes, payload, { deadline: Date.now() + 60_000 }, (error, answer) => {
          if (error) reject(error);
          else if (answer === undefined || !answer.equals(payload)) reject(new Error('the echo is not what was sent'));
          else resolve(performance.now() - start);
        });
      }),
    close: () => client.close(),
  };
}
