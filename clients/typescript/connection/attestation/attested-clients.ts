/**
 * Clients that send only to attested code. One client takes one TLS key: that of its first
 * connection. Calls wait until evidence names this key, and for new evidence after each new
 * connection. A server with another key gets a client of its own, attested in the same way.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type Client, connectivityState } from '@grpc/grpc-js';
import { CutlayerError } from '../../../../src/errors.js';
import { acceleratorNonce, NONCE_BYTES, reportData } from '../../../../src/protocol/attestation/report-data.js';
import type { GetAttestationResponse__Output } from '../../../../src/protocol/wire/generated/cutlayer/v1/GetAttestationResponse.js';
import { loadSplitService } from '../../../../src/protocol/wire/split-service.js';
import type { ClientSource, Sending } from '../client-source.js';
import { type Peer, type Unary, unaryCall } from '../unary-call.js';
import { Pin } from './pin.js';
import { type AttestationPolicy, type Attested, rejected } from './policy.js';

/** What is demanded of a gateway's code, and by which clock and root it is judged. */
export interface AttestationOptions {
  readonly policy: AttestationPolicy;
  /** Root authority of quotes, DER. Default: Intel's. */
  readonly root?: Buffer | undefined;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Told of all evidence that was verified. */
  readonly onAttested?: (attested: Attested) => void;
}

/** The field of evidence for another key than the connection's. */
const TLS_KEY = 'TLS key';

interface Live {
  readonly client: Client;
  readonly pin: Pin;
  /** Connections that evidence has spoken for. */
  attested: number;
  at: number;
}

export class AttestedClients implements ClientSource {
  readonly #open: (pin: Pin) => Client;
  readonly #options: AttestationOptions;
  readonly #peer: Peer;
  #live: Live | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;
  attested: Attested | undefined;

  /** @param open Makes a client whose handshakes go through the pin */
  constructor(open: (pin: Pin) => Client, peer: Peer, options: AttestationOptions) {
    this.#open = open;
    this.#peer = peer;
    this.#options = options;
  }

  /** @throws CutlayerError ATTESTATION_REJECTED, ATTESTATION_UNAVAILABLE; of the call */
  ready(sending: Sending): Promise<Client> {
    const ready = this.#turn.then(() => this.#ready(sending));
    this.#turn = ready.catch(() => undefined);
    return ready;
  }

  reconnect(): void {
    this.#live?.client.getChannel().getConnectivityState(true);
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  async #ready(sending: Sending): Promise<Client> {
    if (this.#closed) throw new CutlayerError('CANCELLED', 'the connection was closed');
    if (this.#live?.pin.refused) this.#drop();
    const live = this.#live ?? this.#fresh();
    if (this.#holds(live)) return live.client;
    try {
      this.attested = await this.#attest(live, sending);
    } catch (caught) {
      // The next attempt meets the server anew.
      this.#drop();
      // An open connection has the key of before a renewal; evidence names the present one.
      if (live.attested > 0 && CutlayerError.from(caught).details.field === TLS_KEY) return this.#ready(sending);
      throw caught;
    }
    [live.attested, live.at] = [live.pin.connections, this.attested.at];
    this.#options.onAttested?.(this.attested);
    return live.client;
  }

  #fresh(): Live {
    const pin = new Pin();
    const live = { client: this.#open(pin), pin, attested: -1, at: 0 };
    this.#live = live;
    return live;
  }

  #drop(): void {
    this.#live?.client.close();
    this.#live = undefined;
  }

  #holds({ client, pin, attested, at }: Live): boolean {
    const connected = client.getChannel().getConnectivityState(false) === connectivityState.READY;
    return connected && attested === pin.connections && this.#now() - at <= this.#options.policy.maxEvidenceAgeMs;
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  async #attest({ client, pin }: Live, sending: Sending): Promise<Attested> {
    const { policy, root } = this.#options;
    const nonce = randomBytes(NONCE_BYTES);
    const { quote, tlsKeySha256, collateral, nvidiaToken } = await this.#ask(client, nonce, sending);
    const { key } = pin;
    if (key === undefined) throw new CutlayerError('INTERNAL', 'attestation: an answer came without a TLS handshake');
    if (!key.equals(tlsKeySha256))
      throw rejected(
        TLS_KEY,
        `evidence for the key of this connection (${key.toString('hex')})`,
        `for ${Buffer.from(tlsKeySha256).toString('hex') || 'none'}`,
        'Something between ends TLS: reach the gateway directly.',
      );
    const [now, bound] = [this.#now(), reportData(nonce, key)];
    // Loaded only where a policy asks for evidence.
    const [{ verifyQuote }, { judge }] = await Promise.all([import('./quote.js'), import('./judge.js')]);
    const verified = await verifyQuote(quote, collateral, { now, root });
    judge(policy, verified, bound, now);
    if (policy.nvidia !== undefined) {
      const { verifyNvidiaToken } = await import('./nvidia-token.js');
      await verifyNvidiaToken(nvidiaToken, policy.nvidia, acceleratorNonce(bound), now);
    }
    const { kind, measurements, tcb, collateralIssued } = verified;
    const evidence = createHash('sha256').update(quote).digest('hex');
    return { kind, measurements, tcb, collateralIssued, evidence, at: now, nvidia: policy.nvidia !== undefined };
  }

  #ask(client: Client, nonce: Buffer, { token, deadlineMs, signal }: Sending): Promise<GetAttestationResponse__Output> {
    const { path, requestSerialize, responseDeserialize } = loadSplitService().service.GetAttestation;
    const send: Unary<Buffer, GetAttestationResponse__Output> = (message, metadata, options, done) =>
      client.makeUnaryRequest(path, (bytes: Buffer) => bytes, responseDeserialize, message, metadata, options, done);
    return unaryCall(send, requestSerialize({ nonce }), { token, deadlineMs, signal, ...this.#peer });
  }
}
