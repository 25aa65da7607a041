/**
 * The reverse-mode driver. It walks back from the outputs over the nodes that depend on the wanted
 * values. It calls the cells on that path, sums over broadcasts and accumulates. Frozen weights are
 * not on the path and cost nothing.
 */
import { CutlayerError } from '../../errors.js';
import { dtypes } from '../../tensor/dtype.js';
import type { GraphBuilder } from '../onnx/builder.js';
import { dimsEqual, type Shape, shapesEqual, shapeText } from '../onnx/dim.js';
import { inputsOfOp } from '../onnx/op-signatures.js';
import { nameInputs } from '../onnx/shape-rules.js';
import { nodesBelow, nodeText, type OpNode, type Value } from '../onnx/value.js';
import { vjpRules } from './rules.js';
import { notDifferentiable, type VjpRules } from './vjp-rules.js';

export interface VjpRequest {
  readonly outputs: readonly Value[];
  /** The cotangent of each output, of its type and shape. */
  readonly cotangents: readonly Value[];
  readonly wrt: readonly Value[];
  /** The rule table; the one of this package by default. */
  readonly rules?: VjpRules;
}

/** Any cell of the table, where the op is not known to the type checker. */
type AnyCell = (context: object) => Value | readonly Value[];

/**
 * The cotangent of each value in `wrt`; zeros where no output depends on it.
 * @throws CutlayerError NOT_DIFFERENTIABLE naming the node when a path runs through an op or input
 *   without a gradient
 * @throws CutlayerError INVALID_SHAPE when a cotangent does not have its output's type
 */
export function vjp(g: GraphBuilder, { outputs, cotangents, wrt, rules = vjpRules }: VjpRequest): readonly Value[] {
  checkRequest(outputs, cotangents, wrt);
  const path = nodesOnPath(outputs, wrt);
  const cotangentOf = new Map<Value, Value>();
  const accumulate = (value: Value, ct: Value): void => {
    const summed = unbroadcast(g, ct, value.shape);
    const sum = cotangentOf.get(value);
    cotangentOf.set(value, sum === undefined ? summed : g.add(sum, summed));
  };
  for (const [at, output] of outputs.entries()) accumulate(output, cotangents[at]!);
  for (const node of path.nodes.toReversed()) {
    const cts = node.outputs.map((output) => cotangentOf.get(output));
    if (cts.every((ct) => ct === undefined)) continue;
    g.scoped(node.scope === '' ? 'vjp' : `vjp/${node.scope}`, () => pullBack(g, node, cts, path.values, rules, accumulate));
  }
  return wrt.map((value) => cotangentOf.get(value) ?? g.fill(value.shape, 0, value.dtype));
}

/**
 * The transpose of a broadcast: sums a cotangent over the axes along which a value of `shape` was
 * repeated.
 * @param ct a value of a shape into which `shape` broadcasts
 */
export function unbroadcast(g: GraphBuilder, ct: Value, shape: Shape): Value {
  if (shapesEqual(ct.shape, shape)) return ct;
  const added = ct.shape.length - shape.length;
  const axes = [...ct.shape.keys()].filter((axis) => axis < added || !dimsEqual(ct.shape[axis]!, shape[axis - added]!));
  return g.reshape(g.reduceSum(ct, axes), shape);
}

/** Calls the cells of one node for its inputs on the path. */
function pullBack(
  g: GraphBuilder,
  node: OpNode,
  cts: readonly (Value | undefined)[],
  onPath: ReadonlySet<Value>,
  rules: VjpRules,
  accumulate: (value: Value, ct: Value) => void,
): void {
  const y = node.outputs[0]!;
  const named = nameInputs(node.op, node.inputs);
  const cells: Readonly<Record<string, AnyCell | undefined>> = rules[node.op] as never;
  const context = { g, ct: cts[0] ?? g.fill(y.shape, 0, y.dtype), cts, y, outputs: node.outputs, ...named, ...node.attributes };
  for (const [name, { flow }] of inputsOfOp(node.op)) {
    const input = named[name];
    const values = listOf(input);
    const cell = cells[name];
    if (flow !== 'real' || cell === undefined || !values.some((value) => onPath.has(value))) continue;
    const result = cell(context);
    const results = listOf(result);
    for (const [at, value] of values.entries()) if (onPath.has(value)) accumulate(value, results[at]!);
  }
}

/** The nodes between wrt and outputs, inputs before users, and the values that depend on wrt. */
function nodesOnPath(
  outputs: readonly Value[],
  wrt: readonly Value[],
): { readonly nodes: readonly OpNode[]; readonly values: ReadonlySet<Value> } {
  const values = new Set(wrt);
  const nodes: OpNode[] = [];
  for (const node of nodesBelow(outputs)) {
    if (node.kind !== 'op' || !dependsOn(node, values)) continue;
    nodes.push(node);
    for (const output of node.outputs) values.add(output);
  }
  return { nodes, values };
}

/**
 * Whether the data of any of these values reach the node. An input does not count if only its shape
 * matters or if the output is piecewise constant in it.
 * @throws CutlayerError NOT_DIFFERENTIABLE when they reach it where no gradient can flow
 */
function dependsOn(node: OpNode, values: ReadonlySet<Value>): boolean {
  let depends = false;
  const named = nameInputs(node.op, node.inputs);
  for (const [name, { flow }] of inputsOfOp(node.op)) {
    if (flow === 'shape' || flow === 'steps' || !listOf(named[name]).some((value) => values.has(value))) continue;
    if (flow === 'plain') throw notDifferentiable(nodeText(node), `${node.op} has no gradient with respect to ${name}`);
    depends = true;
  }
  const { dtype } = node.outputs[0]!;
  if (depends && !dtypes[dtype].real) throw notDifferentiable(nodeText(node), `${dtype} values have no gradient`);
  return depends;
}

const listOf = (input: Value | readonly Value[] | undefined): readonly Value[] =>
  input === undefined ? [] : 'dtype' in input ? [input] : input;

function checkRequest(outputs: readonly Value[], cotangents: readonly Value[], wrt: readonly Value[]): void {
  if (outputs.length !== cotangents.length) {
    throw new CutlayerError('INVALID_GRAPH', `vjp: expected ${outputs.length} cotangents, one per output, got ${cotangents.length}`);
  }
  for (const [at, output] of outputs.entries()) {
    const ct = cotangents[at]!;
    if (ct.dtype !== output.dtype || !shapesEqual(ct.shape, output.shape)) {
      throw new CutlayerError(
        'INVALID_SHAPE',
        `vjp: cotangent ${at}: expected ${output.dtype} ${shapeText(output.shape)}, got ${ct.dtype} ${shapeText(ct.shape)}`,
      );
    }
  }
  for (const value of [...outputs, ...wrt]) {
    if (!dtypes[value.dtype].real) throw notDifferentiable(nodeText(value.node), `${value.dtype} values have no gradient`);
  }
}
