/** HTTP/2 servers with every bound of Node stated. They do not listen: they get connections. */
import http2 from 'node:http2';
import { FLOW_CONTROL_WINDOW_BYTES } from '../../protocol/wire/channel.js';
import type { ServerCredentials } from '../tls/open-tls.js';
import { tlsOptions } from '../tls/server-context.js';
import type { ConnectionLimits } from './limits.js';

/** An HTTP/2 server in the clear, or over TLS. */
export type AnyHttp2Server = http2.Http2Server | http2.Http2SecureServer;

/** Options that Node knows, from version 22 on the last two, and its types do not. */
interface MoreOptions {
  readonly maxOutstandingSettings: number;
  readonly streamResetBurst: number;
  readonly streamResetRate: number;
}

/** Builds a server. */
export function createHttp2Server(credentials: ServerCredentials, limits: ConnectionLimits): AnyHttp2Server {
  const options: http2.ServerOptions & MoreOptions = {
    maxHeaderListPairs: limits.maxHeaderPairs,
    maxSessionInvalidFrames: limits.maxInvalidFrames,
    maxSessionRejectedStreams: limits.maxRejectedStreams,
    maxSessionMemory: limits.maxSessionMemoryMb,
    maxOutstandingPings: 4,
    maxOutstandingSettings: 4,
    maxSettings: 32,
    maxDeflateDynamicTableSize: 4096,
    peerMaxConcurrentStreams: limits.maxStreams,
    unknownProtocolTimeout: limits.handshakeMs,
    // Beyond those of connections.ts: at these Node leaves the socket open, until the next ping.
    streamResetBurst: 2 * limits.resetBurst,
    streamResetRate: 2 * limits.resetRate,
    settings: {
      enablePush: false,
      initialWindowSize: FLOW_CONTROL_WINDOW_BYTES,
      maxConcurrentStreams: limits.maxStreams,
      maxHeaderListSize: limits.maxHeaderBytes,
    },
  };
  if (credentials === 'insecure') return http2.createServer(options);
  const server = http2.createSecureServer({ ...options, ...tlsOptions(credentials), handshakeTimeout: limits.handshakeMs });
  // A TLS connection that fails before it has a session ends here.
  server.on('secureConnection', (socket) => socket.on('error', () => undefined));
  return server;
}
