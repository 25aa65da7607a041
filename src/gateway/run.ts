/** Starts and stops a gateway: engine, tokens, TLS, gRPC server and admin port. */

import { loadBackbone } from '../artifacts/store.js';
import { showAddress } from '../options/address.js';
import { createAdminApp } from '../server/admin/app.js';
import { listenAdmin } from '../server/admin/listen.js';
import { openAuth } from '../server/auth/open-auth.js';
import type { Logger } from '../server/observability/log.js';
import { createCallMetrics } from '../server/observability/metrics.js';
import { serverGauges } from '../server/rpc/gauges.js';
import { withReflection } from '../server/rpc/reflection.js';
import { createRpcServer, type RpcServer } from '../server/rpc/server.js';
import { boundsOf } from '../server/security.js';
import { openTls } from '../server/tls/open-tls.js';
import type { GatewayConfig } from './config.js';
import { decodeService } from './decode/decode-service.js';
import { type DecoderSource, decoderOf, noSessions, openDecoding, servingOf } from './decode/open-decoding.js';
import { type BackboneEngine, createEngine, type EngineOptions } from './engine/engine.js';
import { gatewayGauges } from './gauges.js';
import { logMemory, machineMemoryBytes } from './memory.js';
import { splitService } from './split/handlers.js';
import { resolveLimits } from './split/limits.js';

/** A gateway that answers calls. */
export interface RunningGateway {
  /** host:port, with the real port. */
  readonly listen: string;
  readonly admin: string;
  /** Certificate authority for clients; undefined with an own certificate, or without TLS. */
  readonly caFile: string | undefined;
  readonly model: string;
  readonly backboneDigest: string;
  readonly engine: BackboneEngine;
  readonly server: RpcServer;
  /** Finishes calls in flight within the configured grace, and frees everything. */
  close(): Promise<void>;
}

/** What no option says. */
export interface RunOptions extends Pick<EngineOptions, 'warm'> {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** A decoder in place of the backbone's own, or none. */
  readonly decoder?: (engine: BackboneEngine) => DecoderSource | undefined;
}

/**
 * Starts a gateway; resolves when it answers.
 * @throws CutlayerError of configuration, artifact, state directory or port
 */
export async function runGateway(
  config: GatewayConfig,
  log: Logger,
  { now = Date.now, warm, decoder }: RunOptions = {},
): Promise<RunningGateway> {
  const [{ credentials, caFile }, { verify, jwks }] = await Promise.all([
    openTls(config, { secrets: 'activations and tokens', log, now }),
    openAuth(config, 'gateway', now, log),
  ]);
  const memoryBytes = config.memory ?? Math.floor(machineMemoryBytes() / 2);
  const engine = await createEngine({
    artifact: await loadBackbone(config.backbone, { verify: config.verify, signer: config.signer }),
    residualMemoryBytes: config.residualMemory,
    memoryBytes,
    queueLimit: config.queueLimit,
    keyValues: config.allowPrefixInit,
    workers: config.workers,
    threadsPerWorker: config.threads,
    ...(warm !== undefined && { warm }),
  });
  try {
    const { manifest, digest } = engine.artifact;
    const { maxBatch, maxTokens, maxVirtualTokens, maxDeadline: maxDeadlineMs, maxInFlight } = config;
    const limits = resolveLimits(manifest.dims, { maxBatch, maxTokens, maxVirtualTokens, maxDeadlineMs, maxInFlight });
    const metrics = createCallMetrics();
    const source = config.decodeMemory === 0 ? undefined : (decoder ?? decoderOf)(engine);
    const decoding = source && openDecoding(source, engine, config);
    const decodeMemory = decoding === undefined ? 0 : config.decodeMemory;
    logMemory({ config: { ...config, decodeMemory }, memoryBytes, manifest, limits }, log);
    const services = [
      splitService(engine, limits, now, decoding?.maxRows),
      decodeService(servingOf(decoding, engine.artifact, limits), limits.maxTokens),
    ];
    const server = createRpcServer({
      role: 'gateway',
      services: withReflection(config, services, ['cutlayer/v1/split.proto', 'cutlayer/v1/decode.proto']),
      verify,
      limits: {
        ...limits,
        maxInFlightPerTenant: config.maxInFlightPerTenant ?? Math.ceil(maxInFlight / 2),
        messageMemoryBytes: config.messageMemory,
      },
      bounds: boundsOf(config),
      account: engine.messages,
      credentials,
      metrics,
      log,
      now,
    });
    metrics.addGauges(serverGauges, () => server.gauges());
    metrics.addGauges(gatewayGauges, () => ({ ...engine.stats(), ...(decoding?.stats() ?? noSessions) }));
    const hosts = [config.admin.host, ...config.tlsNames];
    const app = createAdminApp({ jwks, metrics, draining: () => server.draining, log, hosts });
    const admin = await listenAdmin(app, config.admin.host, config.admin.port, log);
    try {
      const port = await server.listen(showAddress(config.listen));
      return {
        listen: showAddress({ ...config.listen, port }),
        admin: showAddress({ ...config.admin, port: admin.port }),
        caFile,
        model: manifest.name,
        backboneDigest: digest,
        engine,
        server,
        async close() {
          await server.drain(config.grace);
          await decoding?.close();
          await engine.close();
          await admin.close();
        },
      };
    } catch (error) {
      await admin.close();
      throw error;
    }
  } catch (error) {
    await engine.close();
    throw error;
  }
}
