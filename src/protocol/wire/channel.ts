/** The window that both ends of a channel have, and the options of a client's. */
import type { ChannelOptions } from '@grpc/grpc-js';

/**
 * HTTP/2 receive window of a stream and of a connection, at both ends. It bounds the sender's
 * unacknowledged data, so a connection is no faster than window / round trip. At 40 ms, the default
 * of 64 KiB gives 1.6 MB/s and 8 MiB gives 200 MB/s.
 */
export const FLOW_CONTROL_WINDOW_BYTES = 8 * 1024 * 1024;

/** Largest message by default: 256 MiB holds 64 sequences of 1,024 tokens of 1,024 floats. */
export const DEFAULT_MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

/** Room for field tags, ids, lengths and positions beside the tensors of a message. */
const MESSAGE_OVERHEAD_BYTES = 64 * 1024;

/** Options of a client's channel. */
export function clientChannelOptions({ maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES } = {}): ChannelOptions {
  return {
    'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
    'grpc.max_receive_message_length': maxMessageBytes + MESSAGE_OVERHEAD_BYTES,
    'grpc.max_send_message_length': maxMessageBytes + MESSAGE_OVERHEAD_BYTES,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 20_000,
    'grpc.keepalive_permit_without_calls': 0,
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 5_000,
    // The client library retries: it knows the error table and the repeatable calls.
    'grpc.enable_retries': 0,
    // One connection per client object, closed with it: no sharing behind the scenes.
    'grpc.use_local_subchannel_pool': 1,
  };
}
