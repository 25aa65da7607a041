/** Real work for a gateway under test: steps and decode sessions of several tenants, over gRPC. */
import { credentials, type Metadata } from '@grpc/grpc-js';
import { clientChannelOptions } from '../../src/protocol/wire/channel.js';
import { loadDecodeService } from '../../src/protocol/wire/decode-service.js';
import { encodeTensor } from '../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../src/tensor/tensor.js';
import { openDecodeStream, type TestDecodeStream } from './decode-stream.js';
import { seeded, uniform } from './random.js';
import { bearer, type SplitCalls, splitCalls, type TestGateway } from './test-gateway.js';

/** Rows of a sequence of a step, and of the append of a session. */
export const STEP_ROWS = 8;
const SESSION_ROWS = 4;
const MOST_ROWS = 16;

/** A client of a gateway. */
export class GatewayLoad {
  readonly #running: TestGateway;
  readonly #calls: SplitCalls;
  readonly #streams: TestDecodeStream[] = [];
  readonly #decode;
  #steps = 0;

  constructor(running: TestGateway) {
    this.#running = running;
    this.#calls = splitCalls(running.connect());
    this.#decode = new (loadDecodeService())(running.gateway.listen, credentials.createSsl(running.ca), {
      ...clientChannelOptions(),
      'grpc.ssl_target_name_override': 'localhost',
    });
  }

  /** A token of a tenant. */
  async as(tenant: string): Promise<Metadata> {
    return bearer(await this.#running.token({ tenant, scopes: ['train', 'infer', 'model:read'] }));
  }

  /** Trains: forwards, and their backwards unless told otherwise. */
  async train(tenant: string, steps: number, { backward = true }: { readonly backward?: boolean } = {}): Promise<void> {
    const metadata = await this.as(tenant);
    for (let step = 0; step < steps; step++) {
      const stepId = `step-${this.#steps++}`;
      await this.#calls.forward(
        {
          ...{ stepId, backboneDigest: this.#running.gateway.backboneDigest, hiddenStates: this.#rows(1, STEP_ROWS) },
          ...{ lengths: [STEP_ROWS], positions: [], training: true },
        },
        metadata,
      );
      if (backward) await this.#calls.backward({ stepId, cotangent: this.#rows(STEP_ROWS), wantHiddenStates: true }, metadata);
    }
  }

  /** Asks for vjps of one step in several directions; the standard policy refuses all but the first. */
  async probe(tenant: string): Promise<void> {
    const metadata = await this.as(tenant);
    await this.train(tenant, 1);
    const stepId = `step-${this.#steps - 1}`;
    for (let direction = 0; direction < 3; direction++) {
      this.#steps += 1;
      await this.#calls.backward({ stepId, cotangent: this.#rows(STEP_ROWS), wantHiddenStates: true }, metadata).catch(() => undefined);
    }
  }

  /** Opens a decode session, which stays open, and appends rows to it. */
  async decode(tenant: string, sessionId: string): Promise<void> {
    const stream = openDecodeStream(this.#decode, await this.as(tenant));
    this.#streams.push(stream);
    await stream.ask({ open: { sessionId, backboneDigest: this.#running.gateway.backboneDigest, maxRows: MOST_ROWS } });
    await stream.ask({ append: { rows: this.#rows(SESSION_ROWS), positions: [SESSION_ROWS - 1] } });
  }

  async close(): Promise<void> {
    await Promise.all(this.#streams.map((stream) => stream.end().catch(() => undefined))); // its tenant may be suspended
    this.#decode.close();
  }

  /** New rows each time: the protection looks for such that are near others. */
  #rows(...shape: readonly number[]) {
    const { hiddenSize } = this.#running.gateway.engine.artifact.manifest.dims;
    const { data, shape: whole } = uniform('float32', [...shape, hiddenSize], seeded(1000 + this.#steps));
    return encodeTensor(f32(whole, data), 'f32');
  }
}
