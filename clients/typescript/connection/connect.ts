/** A client's connection to a gateway: a channel to the split service, model card, counters. */
import type { SplitDefinition } from '../../../src/protocol/wire/generated/cutlayer/v1/Split.js';
import { loadSplitService } from '../../../src/protocol/wire/split-service.js';
import type { WireDType } from '../../../src/protocol/wire/wire-dtype.js';
import { type ChannelOptions, type MethodsOf, openChannel, type RpcChannel } from './rpc-channel.js';
import { checkWireDType, parseServedModel, type ServedModel } from './served-model.js';

/** How to reach a gateway. Default deadline of calls: 120 s, or the gateway's limit if less. */
export interface ConnectOptions extends ChannelOptions {
  /** Element type of tensors on the wire. Default f32. */
  readonly wireDtype?: WireDType;
  readonly signal?: AbortSignal;
}

/** Tensor payload bytes sent and received, without framing, and repeated calls. */
export interface WireCounters {
  bytesUp: number;
  bytesDown: number;
  retries: number;
}

type SplitChannel = RpcChannel<MethodsOf<SplitDefinition>>;

export class Connection {
  readonly address: string;
  readonly card: ServedModel;
  readonly wireDtype: WireDType;
  readonly counters: WireCounters = { bytesUp: 0, bytesDown: 0, retries: 0 };
  /** One call, repeated by the error table; see `RpcChannel.call`. */
  readonly call: SplitChannel['call'];
  readonly #channel: SplitChannel;

  /** Use {@link connect}. */
  constructor(channel: SplitChannel, options: ConnectOptions, card: ServedModel) {
    this.address = options.address;
    this.card = card;
    this.wireDtype = options.wireDtype ?? 'f32';
    this.#channel = channel;
    const deadlineMs = Math.min(options.deadlineMs ?? 120_000, card.limits.maxDeadlineMs);
    this.call = (method, request, callOptions = {}) =>
      channel.call(method, request, {
        deadlineMs,
        ...callOptions,
        onRetry: (notice) => {
          this.counters.retries += 1;
          options.onRetry?.(notice);
        },
      });
  }

  /** Closes the channel; calls under way fail with CANCELLED or UNAVAILABLE. */
  close(): void {
    this.#channel.close();
  }
}

/** A gateway silent from the start is rather a wrong address than a restart: wait less. */
const MAX_FIRST_WAIT_MS = 20_000;

/**
 * Connects and fetches the model card.
 * @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND (token or CA file), UNAVAILABLE,
 *   CERTIFICATE_REJECTED, TOKEN_*, SCOPE_MISSING
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const channel = await openChannel(loadSplitService().service, 'gateway', options);
  try {
    const answer = await channel.call(
      'GetModel',
      {},
      {
        deadlineMs: Math.min(options.deadlineMs ?? 30_000, 30_000),
        retry: { ...options.retry, retryForMs: Math.min(options.retry?.retryForMs ?? MAX_FIRST_WAIT_MS, MAX_FIRST_WAIT_MS) },
        signal: options.signal,
      },
    );
    const card = parseServedModel(answer);
    checkWireDType(card, options.wireDtype ?? 'f32');
    return new Connection(channel, options, card);
  } catch (error) {
    channel.close();
    throw error;
  }
}
