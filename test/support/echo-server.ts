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
import { clientChannelOptions, serverChannelOptions } from '../../src/protocol/wire/channel.js';
import { applyFlowControl } from '../../src/protocol/wire/flow-control.js';

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

/** @param flowControl whether the server gets the window that gateways have */
export async function startEchoServer({ flowControl }: { readonly flowControl: boolean }): Promise<EchoServer> {
  const server = new Server(serverChannelOptions());
  if (flowControl) applyFlowControl(server);
  const service: ServiceDefinition = { Echo: METHOD };
  server.addService(service, {
    Echo: (call: { request: Buffer }, reply: (error: null, value: Buffer) => void) => reply(null, call.request),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return { port, close: () => server.forceShutdown() };
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
