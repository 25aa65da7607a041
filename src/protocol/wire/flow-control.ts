/**
 * The receive window of a grpc-js server. grpc-js 1.14.7 honours `grpc-node.flow_control_window` at the client only: its servers keep
 * HTTP/2's default of 64 KiB (RFC 9113 sec. 6.9.2), so that an upload over a 40 ms link crawls at about 1 MB/s.
 *
 * The least that helps: every HTTP/2 server that a grpc-js `Server` makes comes out of one method, `createHttp2Server`, at bind time. It is
 * overridden on the one instance given, nothing global is touched, and Node's public interface does the rest: `updateSettings` sets the
 * window of each new stream, `setLocalWindowSize` that of each new connection. Should a later grpc-js rename the method, the call fails
 * loudly here rather than slowly in the field.
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
