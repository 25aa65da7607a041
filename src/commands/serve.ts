/** A server's process: starts, prints that it answers, and serves until SIGTERM or SIGINT. */
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { stdout } from '../files/output.js';
import { createLogger, type Logger } from '../server/observability/log.js';
import type { RpcServer } from '../server/rpc/server.js';
import type { LogLevel } from '../server/security.js';

/** A server that answers. */
interface Running {
  readonly server: RpcServer;
  renew(): Promise<void>;
  close(): Promise<void>;
}

/** Runs a server to its end. @param ready Lines printed when it answers. @throws CutlayerError */
export async function serve<R extends Running>(
  level: LogLevel,
  start: (log: Logger) => Promise<R>,
  ready: (running: R) => readonly string[],
): Promise<void> {
  const log = createLogger({ level });
  // Its failures reach us as errors, which have messages of our own.
  setLogVerbosity(logVerbosity.NONE);
  const running = await start(log);
  for (const line of ready(running)) stdout.line(line);
  process.on('SIGHUP', () => void running.renew());
  await untilSignalled((signal) => {
    log.info({ signal, inFlight: running.server.inFlight }, 'shutting down; a second signal exits at once');
    return running.close();
  });
  log.info('stopped');
}

/** Runs `close` at the first signal and resolves when it has; a second signal exits at once. */
function untilSignalled(close: (signal: NodeJS.Signals) => Promise<void>): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    let stopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (stopping) process.exit(signal === 'SIGINT' ? 130 : 143);
      stopping = true;
      close(signal).then(resolve, reject);
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
}
