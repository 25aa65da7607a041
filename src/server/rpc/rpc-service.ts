/** A gRPC service of a server: generated definition, layouts of requests, handlers of methods. */
import type { ServiceDefinition } from '@grpc/grpc-js';
import type { MessageLayout } from '../../protocol/wire/message-layout.js';
import type { MethodName } from '../../protocol/wire/request-layouts.js';
import type { Call } from './calls.js';
import type { Interceptor } from './interceptor.js';
import type { Method } from './method.js';
import { type Codec, unary } from './unary.js';

/**
 * Handles a parsed request; the generated code serialises the response.
 * @param message the request's bytes as they came
 */
export type Handler<Request, Response> = (request: Request, call: Call, message: Uint8Array) => Promise<Response> | Response;

/** One handler per method of a generated definition, with its request and response types. */
export type HandlersOf<Definition> = {
  readonly [M in MethodName<Definition>]: Definition[M & keyof Definition] extends Codec<infer Request, infer Response>
    ? Handler<Request, Response>
    : never;
};

/** The parts of a service. Layouts and handlers are keyed by method. */
export interface RpcServiceParts<Definition extends ServiceDefinition> {
  /** Full name, as `cutlayer.v1.Split`. */
  readonly name: string;
  readonly definition: Definition;
  readonly layouts: Readonly<Record<MethodName<Definition>, MessageLayout>>;
  readonly handlers: HandlersOf<Definition>;
}

/** A service that a server can offer. */
export interface RpcService {
  readonly name: string;
  /** The methods by path, inside the server's interceptors. */
  methods(interceptors: readonly Interceptor[]): ReadonlyMap<string, Method>;
}

/** Makes a service; the types require a layout and a handler for each method. */
export function rpcService<Definition extends ServiceDefinition>(parts: RpcServiceParts<Definition>): RpcService {
  const { name, definition } = parts;
  const layouts: Readonly<Record<string, MessageLayout>> = parts.layouts;
  // HandlersOf fits each handler to the codec of its name; below they are paired by that name.
  const handlers = parts.handlers as Readonly<Record<string, Handler<unknown, unknown>>>;
  return {
    name,
    methods: (interceptors) =>
      new Map(
        Object.entries(definition).map(([method, codec]) => [
          codec.path,
          {
            kind: 'guarded',
            name: method,
            run: unary({ definition: codec, layout: layouts[method]!, interceptors, run: handlers[method]! }),
          },
        ]),
      ),
  };
}
