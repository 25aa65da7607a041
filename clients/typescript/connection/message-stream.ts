/** A stream that goes both ways: each message has one answer, in order. */
import { type CallOptions, type ClientDuplexStream, Metadata, type ServiceError } from '@grpc/grpc-js';
import { CutlayerError } from '../../../src/errors.js';
import { fromServiceError } from '../../../src/protocol/wire/status.js';
import { explainTransport, type Peer } from './unary-call.js';

/** An open stream. */
export interface MessageStream<Request, Response> {
  /** Why it has ended; undefined while it is open. */
  readonly failure: CutlayerError | undefined;
  /** Sends a message; gives its answer. @throws CutlayerError what the stream ended with */
  ask(request: Request): Promise<Response>;
  /** Sends no more; answers that are due still come. */
  end(): void;
  /** Gives it up. */
  cancel(): void;
}

/** What a stream needs. */
export interface MessageStreamOptions extends Peer {
  readonly token: string;
  readonly deadlineMs: number;
}

interface Waiting<Response> {
  readonly resolve: (response: Response) => void;
  readonly reject: (error: CutlayerError) => void;
}

/** Opens a stream; nothing is sent before the first message. */
export function openMessageStream<Request, Response>(
  start: (metadata: Metadata, options: CallOptions) => ClientDuplexStream<Request, Response>,
  { token, deadlineMs, ...peer }: MessageStreamOptions,
): MessageStream<Request, Response> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  const call = start(metadata, { deadline: new Date(Date.now() + deadlineMs) });
  const waiting: Waiting<Response>[] = [];
  let failure: CutlayerError | undefined;
  const fail = (error: CutlayerError): void => {
    failure ??= error;
    for (const { reject } of waiting.splice(0)) reject(failure);
  };
  call.on('data', (answer: Response) => waiting.shift()?.resolve(answer));
  call.on('error', (error: ServiceError) => fail(explainTransport(fromServiceError(error), peer)));
  call.on('end', () => fail(new CutlayerError('UNAVAILABLE', `${peer.role} ${peer.address}: the stream has ended`)));
  return {
    get failure() {
      return failure;
    },
    ask: (request) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failure);
        waiting.push({ resolve, reject });
        call.write(request);
      }),
    end: () => void call.end(),
    cancel: () => call.cancel(),
  };
}
