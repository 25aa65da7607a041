/**
 * A method for grpc-js: bytes in, bytes out. It parses and serialises outside grpc-js. So bytes are
 * counted and checked before parsing, and a malformed message gets a typed error.
 */
import type { handleUnaryCall } from '@grpc/grpc-js';
import { CutlayerError } from '../../errors.js';
import { checkLayout, type MessageLayout } from '../../protocol/wire/message-layout.js';
import { toServiceError } from '../../protocol/wire/status.js';
import type { AdmittedCalls } from './admit.js';
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
  readonly admitted: AdmittedCalls;
  /** Interceptors of the handler, the first outermost. */
  readonly interceptors: readonly Interceptor[];
  readonly run: (request: Request, call: Call) => Promise<Response> | Response;
}

function parse<Request, Response>(bytes: Buffer, { definition, layout }: UnaryOptions<Request, Response>): Request {
  checkLayout(bytes, layout, 'request');
  try {
    return definition.requestDeserialize(bytes);
  } catch (cause) {
    throw new CutlayerError('INVALID_ARGUMENT', `request: expected a message of ${definition.path}, got bytes that do not parse`, {
      cause,
    });
  }
}

/** The handler to register, with identity serialisers. */
export function unary<Request, Response>(options: UnaryOptions<Request, Response>): handleUnaryCall<Buffer, Buffer> {
  const { admitted, interceptors, definition, run } = options;
  return ({ metadata, request }, callback) => {
    const call = admitted.get(metadata);
    if (call === undefined) {
      callback(toServiceError(new CutlayerError('INTERNAL', 'call: was not admitted')));
      return;
    }
    call.outcome.bytesIn = request.length;
    const work = async (): Promise<Buffer> => definition.responseSerialize(await run(parse(request, options), call));
    intercepted(interceptors, call, work).then(
      (bytes) => callback(null, bytes),
      (caught: unknown) => callback(toServiceError(caught)),
    );
  };
}
