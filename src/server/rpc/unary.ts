/**
 * A method as grpc-js calls it: bytes in, bytes out. Parsing and serialising happen here rather than inside grpc-js,
 * so that bytes are counted, checked before they are parsed, and a message that does not parse gets a typed error.
 */
import type { handleUnaryCall } from '@grpc/grpc-js';
import { CutlayerError } from '../../errors.js';
import { checkLayout, type MessageLayout } from '../../protocol/wire/message-layout.js';
import { toServiceError } from '../../protocol/wire/status.js';
import type { Logger } from '../observability/log.js';
import type { AdmittedCalls } from './admit.js';
import type { Call } from './calls.js';

/** A method's definition as far as a server uses it. */
export interface Codec<Request, Response> {
  readonly path: string;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (response: Response) => Buffer;
}

/** What serving a method needs. */
export interface UnaryOptions<Request, Response> {
  readonly definition: Codec<Request, Response>;
  readonly layout: MessageLayout;
  readonly admitted: AdmittedCalls;
  readonly log: Logger;
  readonly run: (request: Request, call: Call) => Promise<Response> | Response;
}

/** Rejects when the signal aborts, with its reason. */
function whenAborted(signal: AbortSignal): { readonly promise: Promise<never>; readonly stop: () => void } {
  let stop = (): void => {};
  const promise = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal.reason as CutlayerError);
    stop = () => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  return { promise, stop };
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

/** @throws CutlayerError */
async function answer<Request, Response>(bytes: Buffer, call: Call, options: UnaryOptions<Request, Response>): Promise<Buffer> {
  const { promise, stop } = whenAborted(call.signal);
  try {
    const response = await Promise.race([(async () => options.run(parse(bytes, options), call))(), promise]);
    return options.definition.responseSerialize(response);
  } finally {
    stop();
  }
}

/** The handler to register, with identity serialisers. */
export function unary<Request, Response>(options: UnaryOptions<Request, Response>): handleUnaryCall<Buffer, Buffer> {
  const { admitted, log, definition } = options;
  return ({ metadata, request }, callback) => {
    const call = admitted.get(metadata);
    if (call === undefined) {
      callback(toServiceError(new CutlayerError('INTERNAL', 'call: was not admitted')));
      return;
    }
    const { outcome } = call;
    outcome.bytesIn = request.length;
    answer(request, call, options).then(
      (bytes) => {
        outcome.code = 'OK';
        outcome.bytesOut = bytes.length;
        callback(null, bytes);
      },
      (caught: unknown) => {
        const error = CutlayerError.from(caught);
        outcome.code = error.code;
        if (error.code === 'INTERNAL') log.error({ err: error.cause ?? error, path: definition.path }, 'call failed');
        callback(toServiceError(error));
      },
    );
  };
}
