/** Starts and stops a gateway: engine, tokens, TLS, gRPC server and admin port. */
import { join } from 'node:path';
import type { Express, Router } from 'express';
import { loadBackbone } from '../artifacts/store.js';
import { showAddress } from '../options/address.js';
import { createAdminApp } from '../server/admin/app.js';
import { adminCredentials, listenAdmin } from '../server/admin/listen.js';
import { openAudit } from '../server/audit/open-audit.js';
import { openAuth } from '../server/auth/open-auth.js';
import type { Logger } from '../server/observability/log.js';
import { createCallMetrics } from '../server/observability/metrics.js';
import { serverGauges } from '../server/rpc/gauges.js';
import { withReflection } from '../server/rpc/reflection.js';
import { createRpcServer, type RpcServer } from '../server/rpc/server.js';
import { boundsOf } from '../server/security.js';
import type { WriteHook } from '../server/store/write-hook.js';
import { Teardown } from '../server/teardown.js';
import { openTls } from '../server/tls/open-tls.js';
import { CertificateRenewal } from '../server/tls/renewal.js';
import { identityPaths } from './admin/identity-paths.js';
import { LoadMonitor } from './admin/load-monitor.js';
import { openAdminApi } from './admin/open-admin.js';
import { readNow } from './admin/read-now.js';
import { watchRoutes } from './admin/watch-routes.js';
import { Attestation } from './attestation/attestation.js';
import { requireNothingKept } from './attestation/keep-nothing.js';
import type { QuoteSource } from './attestation/quote-source.js';
import type { GatewayConfig } from './config.js';
import { openDashboard } from './dashboard/open-dashboard.js';
import { decodeService } from './decode/decode-service.js';
import { type DecoderSource, decoderOf, noSessions, openDecoding, servingOf } from './decode/open-decoding.js';
import { type BackboneEngine, createEngine, type EngineOptions } from './engine/engine.js';
import { engineCounts, gatewayGauges } from './gauges.js';
import { openIdentityServer } from './identity/open-identity-server.js';
import { RevocationList } from './identity/revocation-list.js';
import { openLedger } from './ledger/open-ledger.js';
import { readPrices } from './ledger/price-file.js';
import { usageRoute } from './ledger/usage-route.js';
import { announceAdmin } from './local-server.js';
import { logMemory, machineMemoryBytes, packedMemoryBytes } from './memory.js';
import { oneTenantOnUnpatched } from './one-tenant.js';
import { openProtection, protectionGauges } from './protection/open-protection.js';
import type { Protection } from './protection/protection.js';
import { splitService } from './split/handlers.js';
import { resolveLimits } from './split/limits.js';
import { openGatewayDatabase } from './tables/database.js';
import { openTenants, type Tenants } from './tenants/open-tenants.js';
import { createWorkMetrics } from './work-metrics.js';

/** A gateway that answers calls. */
export interface RunningGateway {
  /** host:port, with the real port. */
  readonly listen: string;
  readonly admin: string;
  readonly adminTls: boolean;
  /** Certificate authority for clients; undefined with an own certificate, or without TLS. */
  readonly caFile: string | undefined;
  readonly model: string;
  readonly backboneDigest: string;
  readonly engine: BackboneEngine;
  readonly protection: Protection;
  readonly monitor: LoadMonitor;
  readonly server: RpcServer;
  readonly tenants: Tenants;
  /** The admin port's app, and its routers by path. */
  readonly adminApp: Express;
  readonly adminRouters: Readonly<Record<`/${string}`, Router>>;
  /** Uses certificate files that have changed. */
  renew(): Promise<void>;
  /** Finishes calls in flight within the configured grace, and frees everything. */
  close(): Promise<void>;
}

/** What no option says. */
export interface RunOptions extends Pick<EngineOptions, 'warm'> {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** A decoder in place of the backbone's own, or none. */
  readonly decoder?: (engine: BackboneEngine) => DecoderSource | undefined;
  /** Called around each write of the database. */
  readonly onWrite?: WriteHook;
  /** A source of quotes in place of the configured one. */
  readonly quotes?: QuoteSource;
}

/**
 * Starts a gateway; resolves when it answers.
 * @throws CutlayerError of configuration, artifact, state directory or port
 */
export async function runGateway(
  config: GatewayConfig,
  log: Logger,
  { now = Date.now, warm, decoder, onWrite, quotes }: RunOptions = {},
): Promise<RunningGateway> {
  const { keepNothing } = config;
  if (keepNothing) await requireNothingKept();
  const revocations = new RevocationList(now);
  const [tls, auth] = await Promise.all([
    openTls(config, { secrets: 'activations and tokens', keyInMemory: config.attestation !== undefined, log, now }),
    openAuth(config, 'gateway', now, log, (ids) => revocations.has(ids)),
  ]);
  const prices = config.prices === undefined ? undefined : await readPrices(config.prices);
  const teardown = new Teardown();
  try {
    const database = await openGatewayDatabase(config.database ?? join(config.stateDir, 'gateway.db'), onWrite && { onWrite });
    teardown.add(() => database.close());
    const audit = await openAudit({ ...config, role: 'gateway', log, now });
    teardown.add(() => audit.close());
    const tenants = await openTenants({ config, database, verify: auth.verify, log, now });
    teardown.add(() => tenants.close());
    const identity = await openIdentityServer({ config, auth, credentials: tls.credentials, database, revocations, audit, log, now });
    teardown.add(async () => identity.close());
    const memoryBytes = config.memory ?? Math.floor(machineMemoryBytes() / 2);
    const monitor = new LoadMonitor(now);
    teardown.add(async () => monitor.close());
    const metrics = monitor.counted(createCallMetrics());
    const work = createWorkMetrics(metrics, monitor);
    const artifact = await loadBackbone(config.backbone, { verify: config.verify, signer: config.signer });
    const packedBytes = config.packedMemory ?? packedMemoryBytes({ config, memoryBytes, manifest: artifact.manifest });
    const engine = await createEngine({
      artifact,
      packedBytes,
      residualMemoryBytes: config.residualMemory,
      memoryBytes,
      queueLimit: config.queueLimit,
      keyValues: config.allowPrefixInit,
      workers: config.workers,
      threadsPerWorker: config.threads,
      tenantLimits: tenants.directory,
      ...(keepNothing && { keepNothing, stepIdleMs: config.maxDeadline }),
      observeRun: work.observeRun,
      onBrokenGraph: (graph, err) =>
        log.error({ graph, err }, 'graph: it cannot be opened, and calls that need it are refused; pack the checkpoint again and restart'),
      ...(warm !== undefined && { warm }),
    });
    teardown.add(() => engine.close());
    const { manifest, digest } = engine.artifact;
    const { maxBatch, maxTokens, maxVirtualTokens, maxDeadline: maxDeadlineMs, maxInFlight } = config;
    const limits = resolveLimits(manifest.dims, { maxBatch, maxTokens, maxVirtualTokens, maxDeadlineMs, maxInFlight });
    const source = config.decodeMemory === 0 || keepNothing ? undefined : (decoder ?? decoderOf)(engine);
    const { ledger, close: closeLedger } = openLedger({ database, log, model: digest, modelName: manifest.name, now });
    teardown.add(closeLedger);
    const decoding = source && openDecoding(work.observed(source), engine, config, { limits: tenants.directory, ledger });
    teardown.add(async () => decoding?.close());
    const decodeMemory = decoding === undefined ? 0 : config.decodeMemory;
    if (Date.parse(config.shutdownDate ?? '') <= now())
      log.warn({ shutdownDate: config.shutdownDate }, '--shutdown-date is past: clients are told that this backbone is no longer served');
    logMemory({ config: { ...config, decodeMemory }, memoryBytes, packedBytes, manifest, limits }, log);
    const { protection, policies, ...guard } = await openProtection({
      ...{ ...config, manifest, rows: tenants.directory },
      ...{ log, now, audit, database },
    });
    teardown.add(() => guard.close());
    const { shutdownDate } = config;
    const stated = { spans: decoding, shutdownDate, prices: prices?.of(digest, manifest.name) };
    const attestation = new Attestation({ config, credentials: tls.credentials, audit, source: quotes });
    const services = [
      splitService({ engine, limits, protection, now, stated, ledger, takeRows: tenants.takeRows, attestation }),
      decodeService(servingOf(decoding, { backbone: engine.artifact, limits, protection }), limits.maxTokens, tenants.takeRows),
    ];
    const server = createRpcServer({
      role: 'gateway',
      services: withReflection(config, services, ['cutlayer/v1/split.proto', 'cutlayer/v1/decode.proto']),
      verify: oneTenantOnUnpatched(tenants.verify, { accepted: config.acceptUnpatchedNode, log }),
      interceptors: [tenants.interceptor],
      limits: {
        ...limits,
        maxInFlightPerTenant: config.maxInFlightPerTenant ?? Math.ceil(maxInFlight / 2),
        maxInFlightOf: (tenant) => tenants.directory.of(tenant).concurrentSteps,
        messageMemoryBytes: config.messageMemory,
      },
      bounds: boundsOf(config),
      account: engine.messages,
      credentials: tls.credentials,
      recorder: audit.recorder,
      metrics,
      log,
      now,
    });
    tenants.directory.holdings.add(
      { what: 'calls', end: (tenant, reason) => server.endTenant(tenant, reason) },
      { what: 'kept steps', forget: (tenant) => engine.forgetTenant(tenant) },
      { what: 'steps of the protection', forget: (tenant) => protection.forgetTenant(tenant) },
      { what: 'decode sessions', forget: (tenant) => decoding?.forgetTenant(tenant) },
    );
    metrics.addGauges(serverGauges, () => server.gauges());
    metrics.addGauges(protectionGauges, () => protection.stats());
    metrics.addGauges(gatewayGauges, () => ({ ...engineCounts(engine.stats()), ...(decoding?.stats() ?? noSessions) }));
    audit.addGauges(metrics);
    const hosts = [config.admin.host, ...config.tlsNames];
    const read = readNow({ engine, decoding, server, protection, audit, config });
    monitor.begin(read);
    const heldBy = (tenant: string) => ({
      concurrentSteps: server.inFlightOf(tenant),
      ...engine.heldBy(tenant),
      ...(decoding?.heldBy(tenant) ?? noSessions),
    });
    const model = { artifact: engine.artifact, limits, protection, stated: { ...stated, prefixInit: config.allowPrefixInit } };
    const watched = watchRoutes({ monitor, read, tenants, heldBy, database, prices, audit, model, coordinator: config.coordinator, now });
    const routes = [usageRoute({ database, prices, now }), ...watched];
    const { authenticate } = identity;
    const dashboard = openDashboard({ authenticate, issuesTokens: auth.embedded !== undefined, tenants, revocations, audit, now });
    teardown.add(async () => dashboard.close());
    const routers = {
      ...identity.routers,
      ...openAdminApi({
        ...{ config, credentials: tls.credentials, authenticate, tenants, policies, audit, routes, dashboard },
        paths: identityPaths(auth.embedded !== undefined),
      }),
    };
    const app = createAdminApp({ jwks: auth.jwks, metrics, draining: () => server.draining, log, hosts, routers });
    const admin = await listenAdmin(app, config.admin.host, config.admin.port, log, adminCredentials(config, tls.credentials));
    teardown.add(() => admin.close());
    const renewal = new CertificateRenewal({ tls, servers: [server, admin, attestation], log });
    teardown.add(async () => renewal.close());
    const kid = (await auth.embedded?.ring.signingKey())?.kid;
    await audit.record('start', { role: 'gateway', model: manifest.name, backbone: digest, kid, node: process.version });
    const port = await server.listen(showAddress(config.listen));
    teardown.add(() => server.drain(config.grace));
    teardown.add(await announceAdmin(config, admin.port, tls));
    return {
      listen: showAddress({ ...config.listen, port }),
      admin: showAddress({ ...config.admin, port: admin.port }),
      adminTls: adminCredentials(config, tls.credentials) !== 'insecure',
      caFile: tls.caFile,
      model: manifest.name,
      backboneDigest: digest,
      engine,
      protection,
      monitor,
      server,
      tenants,
      adminApp: app,
      adminRouters: routers,
      renew: () => renewal.look(),
      close: () => teardown.run(),
    };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}
