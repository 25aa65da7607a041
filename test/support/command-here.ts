/**
 * Runs the `cutlayer` command in this process, which is much sooner at its end than one of its own.
 * The calls that it makes to servers are the same.
 */
import { Readable, Writable } from 'node:stream';
import { reportFailure } from '../../src/commands/failure.js';
import { program } from '../../src/commands/program.js';
import type { Finished } from './server-process.js';

/**
 * Runs a command that prints and ends; variables are set while it runs. One at a time.
 * @param onPrinted told of what it prints to standard output
 */
export async function cutlayerHere(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  onPrinted?: (text: string) => void,
): Promise<Finished> {
  const printed = { stdout: '', stderr: '' };
  const streams = ['stdout', 'stderr'] as const;
  const writes = streams.map((stream) => process[stream].write);
  for (const stream of streams) {
    process[stream].write = ((text: string | Uint8Array) => {
      printed[stream] += text.toString();
      if (stream === 'stdout') onPrinted?.(text.toString());
      return true;
    }) as typeof process.stdout.write;
  }
  const before = { exitCode: process.exitCode, env: Object.keys(env).map((name) => [name, process.env[name]] as const) };
  process.exitCode = undefined;
  Object.assign(process.env, env);
  try {
    await (await program(args)).parseAsync([...args], { from: 'user' });
    return { code: Number(process.exitCode ?? 0), ...printed };
  } catch (caught) {
    const errors = new Writable({
      write(chunk: Buffer, _, done) {
        printed.stderr += chunk.toString();
        done();
      },
    });
    return { code: reportFailure(caught, errors), ...printed };
  } finally {
    for (const [index, stream] of streams.entries()) process[stream].write = writes[index]!;
    process.exitCode = before.exitCode;
    for (const [name, value] of before.env) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** The same with lines as its input. */
export async function cutlayerAsked(args: readonly string[], lines: readonly string[]): Promise<Finished> {
  const before = Object.getOwnPropertyDescriptor(process, 'stdin')!;
  Object.defineProperty(process, 'stdin', { value: Readable.from(lines.map((line) => `${line}\n`)), configurable: true });
  try {
    return await cutlayerHere(args);
  } finally {
    Object.defineProperty(process, 'stdin', before);
  }
}
