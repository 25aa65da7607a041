/** Wires a gateway together: engine, tokens, TLS, gRPC server, admin port; and takes it apart again. */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import { createAdminApp } from '../admin/app.js';
import { listenAdmin } from '../admin/listen.js';
import { openIdentity } from '../auth/identity.js';
import { KeyRing } from '../auth/key-ring.js';
import { createVerifier, keyRingKeys, remoteKeys } from '../auth/verifier.js';
import type { Address, GatewayConfig } from '../config.js';
import { CutlayerError } from '../errors.js';
import type { Logger } from '../observability/log.js';
import { createGatewayMetrics } from '../observability/metrics.js';
import { createEngine, type Engine } from '../runtime/engine.js';
import { resolveLimits } from '../service/limits.js';
import { createGatewayServer, type GatewayServer } from '../service/server.js';

/** A gateway that answers calls. */
export interface RunningGateway {
  /** host:port, with the real port. */
  readonly listen: string;
  readonly admin: string;
  /** Certificate authority to give to clients; undefined with a certificate of one's own, or without TLS. */
  readonly caFile: string | undefined;
  readonly model: string;
  readonly backboneDigest: string;
  readonly engine: Engine;
  readonly server: GatewayServer;
  /** Finishes what is in flight, within the configured grace, and frees everything. */
  close(): Promise<void>;
}

interface Tls {
  readonly credentials: ServerCredentials;
  readonly caFile: string | undefined;
}

const show = ({ host, port }: Address): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CutlayerError('IO_ERROR', `${path}: cannot be read`, { cause });
  }
}

function sslCredentials(cert: Buffer, key: Buffer, what: string): ServerCredentials {
  try {
    // grpc-js would look at them only when it binds: this tells a wrong or mismatched pair at once.
    createSecureContext({ cert, key });
    return ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }], false);
  } catch (cause) {
    throw new CutlayerError('INVALID_CONFIG', `${what}: expected a PEM certificate chain and its private key`, { cause });
  }
}

async function openTls(config: GatewayConfig, log: Logger, now: () => number): Promise<Tls> {
  if (config.insecure) {
    log.warn('TLS IS OFF (--insecure): activations and tokens travel in the clear on this machine');
    return { credentials: ServerCredentials.createInsecure(), caFile: undefined };
  }
  if (config.tlsCert !== undefined && config.tlsKey !== undefined) {
    const [cert, key] = await Promise.all([readPem(config.tlsCert), readPem(config.tlsKey)]);
    return { credentials: sslCredentials(cert, key, config.tlsCert), caFile: undefined };
  }
  const { openDevelopmentTls } = await import('../auth/development-ca.js');
  const { caFile, cert, key, newAuthority } = await openDevelopmentTls(config.stateDir, [config.listen.host, ...config.tlsNames], now());
  log.warn(
    { caFile },
    newAuthority
      ? 'DEVELOPMENT CERTIFICATE: made a new certificate authority; give its file to clients (--ca). For production pass --tls-cert and --tls-key'
      : 'DEVELOPMENT CERTIFICATE: clients must trust the authority in this file (--ca). For production pass --tls-cert and --tls-key',
  );
  return { credentials: sslCredentials(Buffer.from(cert), Buffer.from(key), caFile), caFile };
}

/** Who may call: tokens of the embedded issuer, or of an external one. */
async function openAuth({ stateDir, issuer, audience, jwksUrl }: GatewayConfig, now: () => number) {
  if (jwksUrl !== undefined && issuer !== undefined && audience !== undefined) {
    return { verify: createVerifier({ issuer, audience }, remoteKeys(new URL(jwksUrl)), now), jwks: undefined };
  }
  const ring = await KeyRing.open(stateDir);
  const identity = await openIdentity(stateDir, { ...(issuer && { issuer }), ...(audience && { audience }) });
  return { verify: createVerifier(identity, keyRingKeys(ring, now), now), jwks: () => ring.publicJwks() };
}

/**
 * Starts a gateway; resolves when it answers.
 * @throws CutlayerError of configuration, artifact, state directory or port
 */
export async function runGateway(config: GatewayConfig, log: Logger, now: () => number = Date.now): Promise<RunningGateway> {
  const [{ credentials, caFile }, { verify, jwks }] = await Promise.all([openTls(config, log, now), openAuth(config, now)]);
  const engine = await createEngine({
    backboneDir: config.backbone,
    residualMemoryBytes: config.residualMemory,
    queueLimit: config.queueLimit,
    verify: config.verify,
    keyValues: config.allowPrefixInit,
    ...(config.workers !== undefined && { workers: config.workers }),
    ...(config.threads !== undefined && { threadsPerWorker: config.threads }),
  });
  try {
    const { manifest, digest } = engine.artifact;
    const limits = resolveLimits(manifest.dims, {
      ...(config.maxBatch !== undefined && { maxBatch: config.maxBatch }),
      ...(config.maxTokens !== undefined && { maxTokens: config.maxTokens }),
      ...(config.maxVirtualTokens !== undefined && { maxVirtualTokens: config.maxVirtualTokens }),
      ...(config.maxDeadline !== undefined && { maxDeadlineMs: config.maxDeadline }),
      ...(config.maxInFlight !== undefined && { maxInFlight: config.maxInFlight }),
    });
    const metrics = createGatewayMetrics();
    const server = createGatewayServer({ engine, verify, limits, credentials, metrics, log, now });
    metrics.readGaugesFrom(() => gauges(engine, server));
    const admin = await listenAdmin(
      createAdminApp({ jwks, metrics, draining: () => server.draining, log }),
      config.admin.host,
      config.admin.port,
    );
    try {
      const port = await server.listen(show(config.listen));
      return {
        listen: show({ ...config.listen, port }),
        admin: show({ ...config.admin, port: admin.port }),
        caFile,
        model: manifest.name,
        backboneDigest: digest,
        engine,
        server,
        async close() {
          await server.drain(config.grace);
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

function gauges(engine: Engine, server: GatewayServer) {
  const { queueLength, running, stepsHeld, residualBytes, inputBytes, evictedResiduals, evictedInputs, recomputes, workerRestarts } =
    engine.stats();
  return {
    inFlightCalls: server.inFlight,
    queuedJobs: queueLength,
    runningJobs: running,
    keptSteps: stepsHeld,
    residualBytes,
    inputBytes,
    evictedResiduals,
    evictedInputs,
    recomputes,
    workerRestarts,
  };
}
