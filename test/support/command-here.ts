/**
 * Runs the `cutlayer` command in this process, which is much sooner at its end than one of its own.
 */
import { Writable } from 'node:stream';
import { reportFailure } from '../../src/commands/failure.js';
import { program } from '../../src/commands/program.js';
import type { Finished } from './server-process.js';

/**
 * Runs a command that prints and ends; variables are set while it runs. Commander's own errors go
 * to this process's standard error.
 */
export async function cutlayerHere(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  let [stdout, stderr] = ['', ''];
  const errors = new Writable({
    write(chunk: Buffer, _, done) {
      stderr += chunk.toString();
      done();
    },
  });
  const { write } = process.stdout;
  process.stdout.write = ((text: string) => {
    stdout += text;
    return true;
  }) as typeof write;
  Object.assign(process.env, env);
  try {
    await program().parseAsync([...args], { from: 'user' });
    return { code: 0, stdout, stderr };
  } catch (caught) {
    return { code: reportFailure(caught, errors), stdout, stderr };
  } finally {
    process.stdout.write = write;
    for (const name of Object.keys(env)) delete process.env[name];
  }
}
