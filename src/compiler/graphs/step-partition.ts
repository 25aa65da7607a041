/** From a backbone's forward pass to its graphs: forward with residuals, forward alone, and vjp. */
import { type Partition, partition } from '../autodiff/partition.js';
import { vjp } from '../autodiff/vjp.js';
import type { GraphBuilder } from '../onnx/builder.js';
import type { Value } from '../onnx/value.js';

/**
 * Differentiates and cuts a step.
 * @param output [N, d]; the vjp takes `cotangent` of that shape
 * @param wrt the inputs to differentiate by; the vjp gives `<name>Cotangent` of each
 */
export function partitionStep(g: GraphBuilder, output: Value, wrt: Readonly<Record<string, Value | undefined>>): Partition {
  const cotangent = g.input('cotangent', 'float32', output.shape);
  const given = Object.entries(wrt).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  const found = vjp(g, { outputs: [output], cotangents: [cotangent], wrt: given.map(([, value]) => value) });
  return partition(g, {
    outputs: { output },
    cotangents: [cotangent],
    cotangentOutputs: Object.fromEntries(given.map(([name], at) => [`${name}Cotangent`, found[at]!])),
  });
}
