/** A method of streams: it checks and parses messages, runs interceptors, serialises answers. */
import type { MessageLayout } from '../../protocol/wire/message-layout.js';
import type { Call } from './calls.js';
import { type Interceptor, intercepted } from './interceptor.js';
import type { StreamMethod } from './method.js';
import { type Codec, parseMessage } from './unary.js';

/** What an answer may use beside its request. */
export interface AnswerContext {
  /** Takes the request's bytes out of the server's account, for a handler that counts them. */
  readonly handOver: () => number;
}

/** One stream, with parsed messages; see {@link StreamMethod}. */
export interface StreamHandler<Request, Response> {
  answer(request: Request, context: AnswerContext): Promise<Response> | Response;
  end(): void;
}

/** The parts of a method of streams. */
export interface StreamMethodParts<Request, Response> {
  /** Name without the service, for metrics. */
  readonly name: string;
  readonly definition: Codec<Request, Response>;
  readonly layout: MessageLayout;
  readonly open: (call: Call) => StreamHandler<Request, Response>;
}

/** The method on bytes; interceptors run for each message, the first outermost. */
export function streamMethod<Request, Response>(
  parts: StreamMethodParts<Request, Response>,
  interceptors: readonly Interceptor[],
): StreamMethod {
  const { name, definition, open } = parts;
  return {
    kind: 'stream',
    name,
    open: (call) => {
      const handler = open(call);
      return {
        answer(message, handOver) {
          call.outcome.bytesIn += message.length;
          const work = async (): Promise<Buffer> =>
            definition.responseSerialize(await handler.answer(parseMessage(message, parts), { handOver }));
          return intercepted(interceptors, call, work);
        },
        end: () => handler.end(),
      };
    },
  };
}
