/** What a benchmark ran on: figures of different processors are not to be mixed. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../src/files/package-root.js';

/** A machine and what was measured on it. */
export interface Machine {
  /** The processor's name, with the numbers that tell apart processors of one name. */
  readonly processor: string;
  readonly cores: number;
  /** Its vector instructions that the kernels of ONNX Runtime and torch choose by. */
  readonly vectorFlags: readonly string[];
  readonly node: string;
  readonly onnxRuntime: string;
  /** Processes that were running or wanted to, mean of the last minute: 0 on a quiet machine. */
  readonly load: number;
}

/** Vector instructions of x86-64 and of 64-bit Arm, as Linux names them. */
const VECTOR_FLAGS = [
  ...['avx', 'avx2', 'fma', 'f16c', 'avx_vnni', 'avx512f', 'avx512bw', 'avx512_vnni', 'avx512_bf16', 'avx512_fp16'],
  ...['amx_tile', 'amx_int8', 'amx_bf16', 'asimd', 'asimddp', 'i8mm', 'bf16', 'sve', 'sve2'],
] as const;

/** This machine, now. */
export function thisMachine(): Machine {
  const { dependencies } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return {
    ...processorOf(process.platform === 'linux' ? readFileSync('/proc/cpuinfo', 'utf8') : `model name : ${cpus()[0]?.model ?? ''}`),
    cores: availableParallelism(),
    node: process.versions.node,
    onnxRuntime: dependencies['onnxruntime-node']!,
    load: loadavg()[0]!,
  };
}

/** Name and vector instructions of the first processor in the text of Linux's `/proc/cpuinfo`. */
export function processorOf(cpuinfo: string): Pick<Machine, 'processor' | 'vectorFlags'> {
  const field = (name: string): string | undefined => new RegExp(`^${name}\\s*:\\s*(.*?)\\s*$`, 'm').exec(cpuinfo)?.[1];
  const [family, model] = [field('cpu family'), field('model')];
  const numbers = family === undefined ? '' : ` (family ${family}, model ${model})`;
  const flags = new Set((field('flags') ?? field('Features') ?? '').split(/\s+/));
  const name = field('model name') || 'unknown processor';
  return { processor: `${name}${numbers}`, vectorFlags: VECTOR_FLAGS.filter((flag) => flags.has(flag)) };
}

/** The machine in one line: `busy` when the load is above half of the cores. */
export function machineText({ processor, cores, vectorFlags, node, onnxRuntime, load }: Machine): string {
  const flags = vectorFlags.length === 0 ? 'vector instructions unknown' : vectorFlags.join(' ');
  const busy = load > cores / 2 ? ' (busy)' : '';
  return `${processor}, ${cores} cores, ${flags}; Node ${node}, ONNX Runtime ${onnxRuntime}; load ${load.toFixed(2)}${busy}`;
}
