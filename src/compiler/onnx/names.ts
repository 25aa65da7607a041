/** Names of values in an encoded graph: readable, unique, and the same for the same graph. */
import type { Graph } from './graph.js';
import { outputName, signatureOf } from './op-signatures.js';
import type { Value } from './value.js';

export interface ValueNames {
  readonly of: (value: Value) => string;
  /** The name of an op's output: empty if unused; differs from {@link of} if it is also fed. */
  readonly made: (value: Value) => string;
  /** Outputs that are copies of a value which already has another name. */
  readonly copies: readonly { readonly from: string; readonly to: string }[];
}

/** Names every value: ports and weights by their own names, the rest by scope and op. */
export function nameValues(graph: Graph): ValueNames {
  const names = new Map<Value, string>();
  const taken = new Set<string>();
  const claim = (value: Value, name: string): void => {
    names.set(value, name);
    taken.add(name);
  };
  for (const { name, value } of graph.inputs) claim(value, name);
  for (const { name, outputs } of graph.weights) claim(outputs[0]!, name);
  for (const { name } of graph.outputs) taken.add(name);
  const unique = (base: string): string => {
    let name = base;
    for (let count = 1; taken.has(name); count++) name = `${base}_${count}`;
    return name;
  };
  const late = graph.outputs.filter(({ name, value }) => {
    const computed = value.node.kind === 'op' && !names.has(value);
    if (computed) claim(value, name);
    return !computed;
  });
  for (const [at, { outputs }] of graph.constants.entries()) claim(outputs[0]!, unique(`constant_${at}`));
  for (const { symbol, outputs } of graph.symbols.keys()) claim(outputs[0]!, unique(`size_of_${symbol}`));
  const counters = new Map<string, number>();
  for (const node of graph.ops) {
    const base = node.scope === '' ? node.op : `${node.scope}/${node.op}`;
    const count = counters.get(base) ?? 0;
    counters.set(base, count + 1);
    const own = count === 0 ? base : `${base}_${count}`;
    for (const output of node.outputs) {
      if (names.has(output)) continue;
      claim(output, unique(output.index === 0 ? own : `${own}:${outputName(node.op, output.index)}`));
    }
  }
  const used = new Set<Value | undefined>([...graph.ops.flatMap((node) => node.inputs), ...graph.outputs.map(({ value }) => value)]);
  const fed = new Set(graph.inputs.map(({ value }) => value));
  const of = (value: Value): string => names.get(value)!;
  const made = (value: Value): string => {
    if (used.has(value) && !fed.has(value)) return of(value);
    return value.index === 0 || namesAll(value) ? `${of(value)}:unused` : '';
  };
  return { of, made, copies: late.map(({ value, name }) => ({ from: of(value), to: name })) };
}

/** Whether the op that makes this value must name all its outputs. */
function namesAll({ node }: Value): boolean {
  if (node.kind !== 'op') return false;
  const { outputs, namesAll: all = false } = signatureOf(node.op);
  return all || outputs === 'variadic';
}
