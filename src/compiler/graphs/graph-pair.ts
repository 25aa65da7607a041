/**
 * A function and its vjp, which takes `<output>Cotangent` and gives `<input>Cotangent`. A
 * backbone's pair also passes residuals on.
 */
import { type Partition, partition } from '../autodiff/partition.js';
import { vjp } from '../autodiff/vjp.js';
import { GraphBuilder } from '../onnx/builder.js';
import type { Shape } from '../onnx/dim.js';
import type { Graph } from '../onnx/graph.js';
import type { Value } from '../onnx/value.js';

export interface GraphPair {
  readonly forward: Graph;
  readonly vjp: Graph;
}

type Values = Readonly<Record<string, Value>>;

/** Makes a graph input; `frozen`: it has no cotangent. */
export type MakeInput = (name: string, shape: Shape, kind?: 'frozen') => Value;

/** The graphs of some outputs. @param wrt the inputs to differentiate by */
export function graphPair(g: GraphBuilder, outputs: Values, wrt: Values, inputs?: readonly Value[]): GraphPair {
  const cotangents = Object.entries(outputs).map(([name, value]) => g.input(`${name}Cotangent`, 'float32', value.shape));
  const found = vjp(g, { outputs: Object.values(outputs), cotangents, wrt: Object.values(wrt) });
  const named = Object.fromEntries(Object.keys(wrt).map((name, at) => [`${name}Cotangent`, found[at]!]));
  return { forward: g.build({ outputs, ...(inputs && { inputs }) }), vjp: g.build({ outputs: named }) };
}

/** The graphs of a function of float32 inputs; the forward declares them all. */
export function functionPair(compute: (input: MakeInput, g: GraphBuilder) => Values): GraphPair {
  const g = new GraphBuilder();
  const inputs: Value[] = [];
  const wrt: Record<string, Value> = {};
  const outputs = compute((name, shape, kind) => {
    const value = g.input(name, 'float32', shape);
    inputs.push(value);
    if (kind !== 'frozen') wrt[name] = value;
    return value;
  }, g);
  return graphPair(g, outputs, wrt, inputs);
}

/**
 * Differentiates and cuts a step.
 * @param output [N, d]; the vjp takes `cotangent` of that shape
 * @param wrt the values to differentiate by
 * @param named what the vjp gives, from the cotangents; by default each as `<name>Cotangent`
 */
export function partitionStep<Name extends string>(
  g: GraphBuilder,
  output: Value,
  wrt: Readonly<Record<Name, Value | undefined>>,
  named: (found: Readonly<Record<Name, Value>>) => Values = cotangentNames,
): Partition {
  const cotangent = g.input('cotangent', 'float32', output.shape);
  const given = Object.entries<Value | undefined>(wrt).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  const found = vjp(g, { outputs: [output], cotangents: [cotangent], wrt: given.map(([, value]) => value) });
  const byName = Object.fromEntries(given.map(([name], at) => [name, found[at]!]));
  return partition(g, { outputs: { output }, cotangents: [cotangent], cotangentOutputs: named(byName as Record<Name, Value>) });
}

function cotangentNames(found: Values): Values {
  return Object.fromEntries(Object.entries(found).map(([name, value]) => [`${name}Cotangent`, value]));
}
