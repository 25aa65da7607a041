/** `cutlayer coordinator serve`. */
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { type CoordinatorConfig, parseCoordinatorConfig } from '../../coordinator/config.js';
import { type RunningCoordinator, runCoordinator } from '../../coordinator/run.js';
import { createLogger } from '../../server/observability/log.js';
import { untilSignalled } from '../until-signalled.js';

/** Serves until SIGTERM or SIGINT. @throws CutlayerError */
export async function serve(options: Readonly<Record<string, unknown>>): Promise<void> {
  const config = parseCoordinatorConfig(options);
  const log = createLogger({ level: config.logLevel });
  // What it has to say reaches us as errors, which are told in our own words.
  setLogVerbosity(logVerbosity.NONE);
  const running = await runCoordinator(config, log);
  announce(running, config);
  await untilSignalled((signal) => {
    log.info({ signal, inFlight: running.server.inFlight }, 'shutting down; a second signal exits at once');
    return running.close();
  });
  log.info('stopped');
}

/** Says on standard output that the coordinator answers, and where. */
function announce({ listen, admin, caFile, database, coordinator }: RunningCoordinator, { json, insecure }: CoordinatorConfig): void {
  const publicKey = Buffer.from(coordinator.publicKey).toString('hex');
  const ready = { event: 'ready', listen, admin, tls: !insecure, caFile: caFile ?? null, database, publicKey, pid: process.pid };
  const trust = caFile === undefined ? '' : `, participants trust ${caFile}`;
  const text = `ready: coordinator on ${listen}${insecure ? ' without TLS' : ''}, admin on http://${admin}${trust}`;
  process.stdout.write(`${json ? JSON.stringify(ready) : text}\n`);
}
