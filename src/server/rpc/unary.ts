/** A method of a service: it checks and parses bytes, runs interceptors, serialises the answer. */
import { CutlayerError } from '../../errors.js';
import { checkLayout, type MessageLayout } from '../../protocol/wire/message-layout.js';
import type { Call } from './calls.js';
import { type Interceptor, intercepted } from './interceptor.js';

/** The part of a method's definition that a server uses. */
export interface Codec<Request, Response> {
  readonly path: string;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (response: Response) => Buffer;
}

/** The parts of a method. */
export interface UnaryOptions<Request, Response> {
  readonly definition: Codec<Request, Response>;
  readonly layout: MessageLayout;
  /** Interceptors of the handler, the first outermost. */
  readonly interceptors: readonly Interceptor[];
  readonly run: (request: Request, call: Call, message: Uint8Array) => Promise<Response> | Response;
}

/** Checks and parses a message. @throws CutlayerError INVALID_ARGUMENT, LIMIT_EXCEEDED */
export function parseMessage<Request, Response>(
  bytes: Buffer,
  { definition, layout }: Pick<UnaryOptions<Request, Response>, 'definition' | 'layout'>,
): Request {
  checkLayout(bytes, layout, 'request');
  try {
    return definition.requestDeserialize(bytes);
  } catch (cause) {
    throw new CutlayerError('INVALID_ARGUMENT', `request: expected a message of ${definition.path}, got bytes that do not parse`, {
      cause,
    });
  }
}

/** The method on bytes. @throws CutlayerError for the caller */
export function unary<Request, Response>(options: UnaryOptions<Request, Response>): (request: Buffer, call: Call) => Promise<Buffer> {
  const { interceptors, definition, run } = options;
  return (request, call) => {
    call.outcome.bytesIn = request.length;
    const work = async (): Promise<Buffer> => definition.responseSerialize(await run(parseMessage(request, options), call, request));
    return intercepted(interceptors, call, work);
  };
}
