/** The messages of a service's methods as a fuzz target reads them: one byte for the method, then the message. */
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { CutlayerError } from '../../src/errors.js';
import { checkLayout, type MessageLayout } from '../../src/protocol/wire/message-layout.js';

type Method = MethodDefinition<object, object>;

/** What one input says: a method and the bytes of a message. */
export interface MethodInput {
  readonly method: string;
  readonly definition: Method;
  readonly bytes: Buffer;
}

/** The method and the message of an input. */
export function methodInput(service: ServiceDefinition, input: Uint8Array): MethodInput {
  const methods = Object.entries(service);
  const [method, definition] = methods[(input[0] ?? 0) % methods.length]!;
  // Definitions of a service are by method; their messages are plain objects.
  return { method, definition: definition as Method, bytes: Buffer.from(input.subarray(1)) };
}

/** The input of a message. @param message of the request, or of the answer */
export function inputFor(
  service: ServiceDefinition,
  method: string,
  message: object,
  side: 'request' | 'response' = 'request',
): Uint8Array {
  const definition = service[method] as Method;
  const bytes = side === 'request' ? definition.requestSerialize(message) : definition.responseSerialize(message);
  return Buffer.concat([Uint8Array.of(Object.keys(service).indexOf(method)), bytes]);
}

/** Bytes as a message, as servers parse them. @throws CutlayerError INVALID_ARGUMENT, LIMIT_EXCEEDED */
export function parsedRequest({ bytes, definition }: MethodInput, layout: MessageLayout): object {
  checkLayout(bytes, layout, 'request');
  return deserialized(() => definition.requestDeserialize(bytes));
}

/** A message from bytes; what protobufjs throws of damaged ones is a refusal. @throws CutlayerError INVALID_ARGUMENT */
export function deserialized<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new CutlayerError('INVALID_ARGUMENT', 'expected a message, got bytes that do not parse', { cause });
  }
}
