/** Starts and stops a coordinator: store, federations, tokens, TLS, gRPC server, admin port. */
import { join } from 'node:path';
import { showAddress } from '../options/address.js';
import { createAdminApp } from '../server/admin/app.js';
import { adminCredentials, listenAdmin } from '../server/admin/listen.js';
import { openAudit } from '../server/audit/open-audit.js';
import { openAuth } from '../server/auth/open-auth.js';
import { localHost } from '../server/local-server.js';
import { nodeFault, nodeFaultWarning } from '../server/node-version.js';
import type { Logger } from '../server/observability/log.js';
import { createCallMetrics } from '../server/observability/metrics.js';
import { serverGauges } from '../server/rpc/gauges.js';
import { withReflection } from '../server/rpc/reflection.js';
import { createRpcServer, type RpcServer } from '../server/rpc/server.js';
import { boundsOf } from '../server/security.js';
import { openStateDir } from '../server/state-files.js';
import { Teardown } from '../server/teardown.js';
import { openTls } from '../server/tls/open-tls.js';
import { CertificateRenewal } from '../server/tls/renewal.js';
import { CALLS_OF_A_MEMBER, type CoordinatorConfig } from './config.js';
import { openCoordinator } from './coordinator.js';
import type { CoordinatorApi } from './coordinator-api.js';
import { federationsPage } from './federations-view.js';
import { addFederationGauges } from './gauges.js';
import { latestFileOf, openLatestStates } from './latest-states.js';
import { localCoordinator } from './local-server.js';
import { rareErrors } from './rare-errors.js';
import { federationService } from './service/handlers.js';
import { openSigningKey } from './signing-keys.js';
import { steadyClock } from './steady-clock.js';
import { openDatabase } from './tables/database.js';

/** A coordinator that answers calls. */
export interface RunningCoordinator {
  /** host:port, with the real port. */
  readonly listen: string;
  readonly admin: string;
  readonly adminTls: boolean;
  /** Certificate authority for members; undefined with an own certificate, or without TLS. */
  readonly caFile: string | undefined;
  readonly database: string;
  readonly coordinator: CoordinatorApi;
  readonly server: RpcServer;
  /** Uses certificate files that have changed. */
  renew(): Promise<void>;
  /** Finishes calls in flight within the configured grace; rounds resume at the next start. */
  close(): Promise<void>;
}

/**
 * Starts a coordinator; resolves when it answers.
 * @throws CutlayerError of configuration, store, state directory or port
 */
export async function runCoordinator(config: CoordinatorConfig, log: Logger, now: () => number = Date.now): Promise<RunningCoordinator> {
  const { stateDir } = config;
  await openStateDir(stateDir);
  const [tls, { verify, jwks }, signingKey] = await Promise.all([
    openTls(config, { secrets: 'updates and tokens', log, now }),
    openAuth(config, 'coordinator', now, log),
    openSigningKey(stateDir, 'coordinator'),
  ]);
  const fault = nodeFault();
  if (fault.unpatched) log.warn({ node: fault.version }, nodeFaultWarning(fault));
  const teardown = new Teardown();
  try {
    const path = config.database ?? join(stateDir, 'coordinator.db');
    const database = await openDatabase(path);
    teardown.add(() => database.close());
    const audit = await openAudit({ ...config, role: 'coordinator', log, now });
    teardown.add(() => audit.close());
    const rareLog = rareErrors(log);
    const latest = openLatestStates(latestFileOf(path, stateDir), config.latestFile);
    const coordinator = await openCoordinator({ database, latest, signingKey, now: steadyClock(now, log), log: rareLog });
    teardown.add(() => coordinator.close());
    const metrics = createCallMetrics();
    const server = createRpcServer({
      role: 'coordinator',
      services: withReflection(config, [federationService(coordinator, now, rareLog)], ['cutlayer/v1/federation.proto']),
      verify,
      limits: {
        maxMessageBytes: config.maxMessage,
        maxDeadlineMs: config.maxDeadline,
        maxInFlight: config.maxInFlight,
        maxInFlightPerTenant: config.maxInFlightPerTenant ?? CALLS_OF_A_MEMBER,
        messageMemoryBytes: config.messageMemory,
      },
      bounds: boundsOf(config),
      credentials: tls.credentials,
      recorder: audit.recorder,
      metrics,
      log,
      now,
    });
    metrics.addGauges(serverGauges, () => server.gauges());
    addFederationGauges(metrics, coordinator);
    audit.addGauges(metrics);
    const hosts = [config.admin.host, ...config.tlsNames];
    const app = createAdminApp({
      jwks,
      metrics,
      draining: () => server.draining,
      log,
      role: 'coordinator',
      hosts,
      page: federationsPage(coordinator, now),
    });
    const admin = await listenAdmin(app, config.admin.host, config.admin.port, log, adminCredentials(config, tls.credentials));
    teardown.add(() => admin.close());
    const renewal = new CertificateRenewal({ tls, servers: [server, admin], log });
    teardown.add(async () => renewal.close());
    await audit.record('start', { role: 'coordinator', node: process.version });
    const port = await server.listen(showAddress(config.listen));
    teardown.add(() => server.drain(config.grace));
    const removeFile = await localCoordinator.write(stateDir, {
      address: showAddress({ host: localHost(config.listen.host), port }),
      caFile: tls.caFile ?? null,
      insecure: config.insecure,
      pid: process.pid,
    });
    teardown.add(removeFile);
    return {
      listen: showAddress({ ...config.listen, port }),
      admin: showAddress({ ...config.admin, port: admin.port }),
      adminTls: adminCredentials(config, tls.credentials) !== 'insecure',
      caFile: tls.caFile,
      database: path,
      coordinator,
      server,
      renew: () => renewal.look(),
      close: () => teardown.run(),
    };
  } catch (error) {
    await teardown.run();
    throw error;
  }
}
