/** The life of a server's process: until SIGTERM or SIGINT, and then until it has ended what it was doing. */

/** Runs `close` at the first signal and resolves when it has; a second signal exits at once. */
export function untilSignalled(close: (signal: NodeJS.Signals) => Promise<void>): Promise<void> {
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
