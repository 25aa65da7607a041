/**
 * The receive window of a grpc-js server. In grpc-js 1.14.7 only clients honour
 * `grpc-node.flow_control_window`. Its servers keep HTTP/2's default of 64 KiB (RFC 9113 sec.
 * 6.9.2), which limits an upload at 40 ms to about 1 MB/s.
 *
 * A grpc-js `Server` makes every HTTP/2 server in one method, `createHttp2Server`, at bind time.
 * Only the given instance's method is replaced. Then `updateSettings` sets the window of each new
 * stream, `setLocalWindowSize` that of each new connection. If a later grpc-js renames the method,
 * the call throws.
 */
import type { Http2SecureServer, Http2Server, ServerHttp2Session } from 'node:http2';
import type { Server, ServerCredentials } from '@grpc/grpc-js';
import { CutlayerError } from '../../errors.js';
import { FLOW_CONTROL_WINDOW_BYTES } from './channel.js';

interface MakesHttp2Servers {
  createHttp2Server?: (credentials: ServerCredentials) => Http2Server | Http2SecureServer;
}

/**
 * Gives a server a receive window. Call it before `bindAsync`.
 * @throws CutlayerError INTERNAL when this grpc-js is not one that we know
 */
export function applyFlowControl(server: Server, windowBytes: number = FLOW_CONTROL_WINDOW_BYTES): void {
  // The method is private in grpc-js's types; its presence is checked.
  const inner = server as unknown as MakesHttp2Servers;
  const create = inner.createHttp2Server;
  if (typeof create !== 'function') {
    throw new CutlayerError('INTERNAL', 'grpc-js: expected Server.createHttp2Server, to set the flow-control window; got another version');
  }
  inner.createHttp2Server = (credentials) => {
    const http2Server = create.call(server, credentials);
    http2Server.updateSettings({ initialWindowSize: windowBytes });
    http2Server.on('session', (session: ServerHttp2Session) => session.setLocalWindowSize(windowBytes));
    return http2Server;
  };
}
