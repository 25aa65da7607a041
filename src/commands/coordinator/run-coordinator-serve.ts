/** The work of `cutlayer coordinator serve`. */
import { type CoordinatorConfig, checkCoordinatorConfig } from '../../coordinator/config.js';
import { type RunningCoordinator, runCoordinator } from '../../coordinator/run.js';
import { stdout } from '../../files/output.js';
import { checkServerFiles } from '../../server/check-files.js';
import { serve } from '../serve.js';

/** Serves until SIGTERM or SIGINT, or with `check` says that it could. @throws CutlayerError */
export async function runCoordinatorServe(config: CoordinatorConfig, { check }: { readonly check: boolean }): Promise<void> {
  checkCoordinatorConfig(config);
  if (check) {
    await checkServerFiles(config);
    stdout.line('configuration is valid');
    return;
  }
  await serve(
    config.logLevel,
    (log) => runCoordinator(config, log),
    (running) => [readyLine(running, config)],
  );
}

function readyLine(
  { listen, admin, adminTls, caFile, database, coordinator }: RunningCoordinator,
  { json, insecure }: CoordinatorConfig,
): string {
  const publicKey = Buffer.from(coordinator.publicKey).toString('hex');
  if (json)
    return JSON.stringify({
      event: 'ready',
      listen,
      admin,
      adminTls,
      tls: !insecure,
      caFile: caFile ?? null,
      database,
      publicKey,
      pid: process.pid,
    });
  const trust = caFile === undefined ? '' : `, participants trust ${caFile}`;
  return `ready: coordinator on ${listen}${insecure ? ' without TLS' : ''}, admin on ${adminTls ? 'https' : 'http'}://${admin}${trust}`;
}
