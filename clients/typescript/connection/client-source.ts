/** Where a channel's calls get their connection from. */
import type { Client } from '@grpc/grpc-js';
import type { Attested } from './attestation/policy.js';

/** What a call brings that wants to be sent. */
export interface Sending {
  readonly token: string;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ClientSource {
  /** The client to send with. @throws CutlayerError where none may be used */
  ready(sending: Sending): Promise<Client>;
  /** Connects again without waiting, where the connection is lost. */
  reconnect(): void;
  /** What was verified of the server last; undefined: nothing. */
  readonly attested: Attested | undefined;
  close(): void;
}

/** One client for all calls. */
export function oneClient(client: Client): ClientSource {
  return {
    ready: async () => client,
    reconnect: () => void client.getChannel().getConnectivityState(true),
    attested: undefined,
    close: () => client.close(),
  };
}
