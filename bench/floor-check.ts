/** Looks at every number that a floor of GEMMs reads and writes: a denormal would slow it. */
import { openGraphs } from '../src/runtime/graphs.js';
import type { NamedTensors } from '../src/runtime/protocol.js';
import { openSafetensors } from '../src/safetensors/reader.js';
import { type FloorOptions, writeGemmFloor } from './gemm-floor.js';

/** What a floor computes with. */
export interface FloorNumbers {
  /** All numbers: operands, weights and results. */
  readonly count: number;
  /** The least and the greatest root mean square of a product. */
  readonly smallest: number;
  readonly greatest: number;
}

/**
 * Runs a floor once with all its products as outputs, and looks at them, at its operands and at the
 * weights.
 * @throws Error naming the first array with a denormal or infinite number
 */
export async function checkFloor(
  { dir, weightsFile }: { readonly dir: string; readonly weightsFile: string },
  operands: NamedTensors,
  options: Omit<FloorOptions, 'results'>,
): Promise<FloorNumbers> {
  let count = 0;
  const look = (name: string, data: Float32Array): void => {
    count += data.length;
    const found = irregular(data);
    if (found > 0) throw new Error(`floor: ${name} holds ${found} denormal or infinite numbers of ${data.length}: it is no floor`);
  };
  const file = await openSafetensors(`${dir}/${weightsFile}`);
  const graph = writeGemmFloor(dir, weightsFile, file, { ...options, results: true });
  try {
    for (const [name, { shape }] of file.tensors)
      if (shape.length === 2) for await (const chunk of file.chunks(name)) look(`the weight ${name}`, chunk);
  } finally {
    await file.close();
  }
  for (const [name, { data }] of Object.entries(operands)) look(`the operand ${name}`, data as Float32Array);
  const host = await openGraphs({ dir, weightsFile, graphs: [graph] });
  try {
    const results = Object.entries(await host.run(graph, operands));
    const sizes = results.map(([name, { data }]) => {
      look(name, data as Float32Array);
      return rootMeanSquare(data as Float32Array);
    });
    return { count, smallest: Math.min(...sizes), greatest: Math.max(...sizes) };
  } finally {
    await host.close();
  }
}

/** How many numbers are denormal, infinite or none: what no steady product holds. */
export function irregular(values: Float32Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let found = 0;
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & 0x7fffffff;
    if ((magnitude !== 0 && magnitude < 0x00800000) || magnitude >= 0x7f800000) found += 1;
  }
  return found;
}

function rootMeanSquare(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
  return Math.sqrt(sum / values.length);
}
