/**
 * A finished graph: the nodes that the outputs need, in a runnable order, each with a stable name.
 * The order is depth first from the outputs, so a value is computed right before its first user.
 * Recomputed activations of a backward pass thus live only during their layer.
 */
import { CutlayerError } from '../../errors.js';
import { symbolName } from './dim.js';
import type { NodeTable } from './node-table.js';
import { type ConstantNode, inputsOf, type Node, nodeText, type OpNode, type SymbolNode, type Value, type WeightNode } from './value.js';

/** A value that crosses the border of a graph, under its name. */
export interface GraphPort {
  readonly name: string;
  readonly value: Value;
}

/** The input and axis from which the size of a symbol is read. */
export interface SymbolSource {
  readonly input: GraphPort;
  readonly axis: number;
}

export interface Graph {
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
  readonly weights: readonly WeightNode[];
  readonly constants: readonly ConstantNode[];
  readonly symbols: ReadonlyMap<SymbolNode, SymbolSource>;
  /** The ops, inputs before users. */
  readonly ops: readonly OpNode[];
}

export interface BuildOptions {
  readonly outputs: Readonly<Record<string, Value>>;
  /** Inputs to declare although no output needs them. */
  readonly inputs?: readonly Value[];
  /** Values to be fed under these names instead of being computed. */
  readonly cut?: ReadonlyMap<Value, string>;
}

/**
 * Collects the graph of some outputs.
 * @throws CutlayerError INVALID_GRAPH when there is no output, names collide, or a symbol has no
 *   source
 */
export function buildGraph(table: NodeTable, { outputs, inputs = [], cut = new Map() }: BuildOptions): Graph {
  const ports = Object.entries(outputs).map(([name, value]): GraphPort => ({ name, value }));
  if (ports.length === 0) throw new CutlayerError('INVALID_GRAPH', 'build: expected at least one output');
  const { order, fed } = collect(
    ports.map(({ value }) => value),
    cut,
  );
  for (const value of inputs) fed.add(value);
  const symbols = new Map<SymbolNode, SymbolSource>();
  for (const node of order) if (node.kind === 'symbol') symbols.set(node, sourceOf(node, table, fed, cut));
  const graph: Graph = {
    inputs: [...fed].sort((a, b) => a.node.id - b.node.id || a.index - b.index).map((value) => ({ name: portName(value, cut), value })),
    outputs: ports,
    weights: order.filter((node) => node.kind === 'weight'),
    constants: order.filter((node) => node.kind === 'constant'),
    symbols,
    ops: order.filter((node) => node.kind === 'op'),
  };
  checkNames(graph);
  return graph;
}

/** The nodes below the outputs in depth-first order, and the values that are fed. */
function collect(
  outputs: readonly Value[],
  cut: ReadonlyMap<Value, string>,
): { readonly order: readonly Node[]; readonly fed: Set<Value> } {
  const order: Node[] = [];
  const fed = new Set<Value>();
  const seen = new Set<Node>();
  const stack: { readonly node: Node; readonly inputs: readonly Value[]; next: number }[] = [];
  const enter = (value: Value): void => {
    if (value.node.kind === 'input' || cut.has(value)) fed.add(value);
    else if (!seen.has(value.node)) {
      seen.add(value.node);
      stack.push({ node: value.node, inputs: inputsOf(value.node), next: 0 });
    }
  };
  for (const output of outputs) {
    enter(output);
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const input = frame.inputs[frame.next++];
      if (input !== undefined) enter(input);
      else {
        order.push(frame.node);
        stack.pop();
      }
    }
  }
  return { order, fed };
}

/** A fed value with the symbol among its dims, or else any input, which is then fed too. */
function sourceOf(node: SymbolNode, table: NodeTable, fed: Set<Value>, cut: ReadonlyMap<Value, string>): SymbolSource {
  const declared = table.nodes.filter((candidate) => candidate.kind === 'input').map((input) => input.outputs[0]!);
  for (const value of [...fed, ...declared]) {
    const axis = value.shape.findIndex((dim) => symbolName(dim) === node.symbol);
    if (axis < 0) continue;
    fed.add(value);
    return { input: { name: portName(value, cut), value }, axis };
  }
  throw new CutlayerError('INVALID_GRAPH', `build: no graph input has a dimension "${node.symbol}" from which its size could be read`);
}

function portName(value: Value, cut: ReadonlyMap<Value, string>): string {
  const name = cut.get(value);
  if (name !== undefined) return name;
  if (value.node.kind !== 'input') throw new CutlayerError('INVALID_GRAPH', `build: ${nodeText(value.node)} is no graph input`);
  return value.node.name;
}

function checkNames(graph: Graph): void {
  const taken = new Set<string>();
  const names = [...graph.inputs, ...graph.weights, ...graph.outputs].map(({ name }) => name);
  for (const name of names) {
    if (taken.has(name)) throw new CutlayerError('INVALID_GRAPH', `build: two inputs, weights or outputs are named "${name}"`);
    taken.add(name);
  }
}
