/**
 * A gateway as `cutlayer gateway start` runs it, on free ports, with TLS, over a tiny backbone
 * unless another is named.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CallOptions, type ClientOptions, credentials, Metadata, type requestCallback } from '@grpc/grpc-js';
import { parseGatewayConfig } from '../../src/gateway/config.js';
import { type RunningGateway, type RunOptions, runGateway } from '../../src/gateway/run.js';
import { clientChannelOptions } from '../../src/protocol/wire/channel.js';
import type { BackwardRequest } from '../../src/protocol/wire/generated/cutlayer/v1/BackwardRequest.js';
import type { BackwardResponse__Output } from '../../src/protocol/wire/generated/cutlayer/v1/BackwardResponse.js';
import type { ForwardRequest } from '../../src/protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import type { ForwardResponse__Output } from '../../src/protocol/wire/generated/cutlayer/v1/ForwardResponse.js';
import type { GetModelResponse__Output } from '../../src/protocol/wire/generated/cutlayer/v1/GetModelResponse.js';
import type { KeyValuesRequest } from '../../src/protocol/wire/generated/cutlayer/v1/KeyValuesRequest.js';
import type { KeyValuesResponse__Output } from '../../src/protocol/wire/generated/cutlayer/v1/KeyValuesResponse.js';
import type { SplitClient } from '../../src/protocol/wire/generated/cutlayer/v1/Split.js';
import { loadSplitService } from '../../src/protocol/wire/split-service.js';
import { fromServiceError } from '../../src/protocol/wire/status.js';
import { type Identity, openIdentity } from '../../src/server/auth/identity.js';
import { issueToken, type TokenRequest } from '../../src/server/auth/issuer.js';
import { KeyRing } from '../../src/server/auth/key-ring.js';
import { createLogger, type Logger } from '../../src/server/observability/log.js';
import { tinyBackbone } from './tiny-backbone.js';

/** What a test asks for. */
export interface TestGatewayOptions {
  /** A packed backbone; by default a tiny one of hiddenSize 8, 2 layers, 2 KV heads. */
  readonly backboneDir?: string;
  /** Options of `gateway start` as on the command line, in camelCase. */
  readonly start?: Readonly<Record<string, unknown>>;
  /** As the command has it: graphs that no call has asked for are opened too. */
  readonly warm?: boolean;
  /** A decoder in place of the backbone's own. */
  readonly decoder?: RunOptions['decoder'];
  /** Called around each write of the database. */
  readonly onWrite?: RunOptions['onWrite'];
  /** A source of quotes, as of confidential hardware. */
  readonly quotes?: RunOptions['quotes'];
  /** Silent by default. */
  readonly log?: Logger;
}

/** A running gateway and what tests need around it. */
export interface TestGateway {
  readonly gateway: RunningGateway;
  /** The authority of its certificate, PEM. */
  readonly ca: Buffer;
  readonly ring: KeyRing;
  readonly identity: Identity;
  readonly stateDir: string;
  /** A token; for tenant acme, all scopes, an hour, unless told otherwise. */
  token(request?: Partial<TokenRequest>, now?: number): Promise<string>;
  /** A raw gRPC client. */
  connect(options?: ClientOptions): SplitClient;
  close(): Promise<void>;
}

/** Starts one. */
export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const { backboneDir, start = {}, warm = false, decoder, onWrite, quotes, log = createLogger({ level: 'silent' }) } = options;
  const ownStateDir = start.stateDir === undefined ? await mkdtemp(join(tmpdir(), 'cutlayer-gateway-')) : undefined;
  const stateDir = ownStateDir ?? String(start.stateDir);
  const tinyDir = backboneDir === undefined ? (await tinyBackbone({ hiddenSize: 8, numLayers: 2 })).dir : undefined;
  const config = parseGatewayConfig({
    backbone: backboneDir ?? tinyDir,
    listen: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    threads: 1,
    grace: 5,
    // A flush for each call would slow tests that are not about the audit log.
    audit: 'none',
    // Tests have several tenants, on any Node.
    acceptUnpatchedNode: true,
    ...start,
    stateDir,
  });
  const gateway = await runGateway(config, log, {
    ...(!warm && { warm: false }),
    ...(decoder && { decoder }),
    ...(onWrite && { onWrite }),
    ...(quotes && { quotes }),
  });
  const ca = gateway.caFile === undefined ? Buffer.alloc(0) : await readFile(gateway.caFile);
  const ring = await KeyRing.open(stateDir);
  const identity = await openIdentity(stateDir);
  const clients: SplitClient[] = [];
  return {
    gateway,
    ca,
    ring,
    identity,
    stateDir,
    token: (request, now = Date.now()) =>
      issueToken(ring, identity, { tenant: 'acme', scopes: ['train', 'infer'], ttlSeconds: 3600, ...request }, now),
    connect(options = clientChannelOptions()) {
      const secure = config.insecure ? credentials.createInsecure() : credentials.createSsl(ca);
      // The certificate is good for localhost too; TLS has no way to ask for an address by name.
      const client = new (loadSplitService())(gateway.listen, secure, { 'grpc.ssl_target_name_override': 'localhost', ...options });
      clients.push(client);
      return client;
    },
    async close() {
      for (const client of clients) client.close();
      await gateway.close();
      for (const dir of [ownStateDir, tinyDir]) if (dir !== undefined) await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A bearer token as metadata. */
export function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

/** The methods as promises; failures as CutlayerError. */
export interface SplitCalls {
  getModel(metadata: Metadata, options?: CallOptions): Promise<GetModelResponse__Output>;
  forward(request: ForwardRequest, metadata: Metadata, options?: CallOptions): Promise<ForwardResponse__Output>;
  backward(request: BackwardRequest, metadata: Metadata, options?: CallOptions): Promise<BackwardResponse__Output>;
  keyValues(request: KeyValuesRequest, metadata: Metadata, options?: CallOptions): Promise<KeyValuesResponse__Output>;
}

/** A raw client's methods as promises; each call has two minutes unless told otherwise. */
export function splitCalls(client: SplitClient): SplitCalls {
  const soon = (): CallOptions => ({ deadline: Date.now() + 120_000 });
  return {
    getModel: (metadata, options = soon()) => promised((done) => client.GetModel({}, metadata, options, done)),
    forward: (request, metadata, options = soon()) => promised((done) => client.Forward(request, metadata, options, done)),
    backward: (request, metadata, options = soon()) => promised((done) => client.Backward(request, metadata, options, done)),
    keyValues: (request, metadata, options = soon()) => promised((done) => client.KeyValues(request, metadata, options, done)),
  };
}

/** A callback's outcome as a promise. */
export function promised<Response>(run: (done: requestCallback<Response>) => unknown): Promise<Response> {
  return new Promise((resolve, reject) => {
    run((error, response) => {
      if (error !== null || response === undefined) reject(fromServiceError(error));
      else resolve(response);
    });
  });
}
