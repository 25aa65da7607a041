/** A supervised child process of demos, benchmarks and tests: start, wait until ready, end. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Starts node on a script; it is ended when this process ends. */
export function startNode(script: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(process.execPath, [script, ...args], options);
  const abandon = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', abandon);
  child.once('exit', () => process.off('exit', abandon));
  return child;
}

/**
 * The line that a server prints with --json when it is ready; later output is ignored.
 * @param failure what to throw when it ends instead
 */
export function readyLine<Ready>(child: ChildProcess, failure: (code: number | null) => Error): Promise<Ready> {
  const lines = createInterface({ input: child.stdout! });
  return new Promise((resolve, reject) => {
    lines.once('line', (line) => resolve(JSON.parse(line) as Ready));
    child.once('close', (code) => reject(failure(code)));
  });
}

/** Sends a signal; resolves with the exit code when the process is gone. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.ref(); // waiting for its end is something to live for
    child.kill(signal);
    await once(child, 'exit');
  }
  return child.exitCode;
}
