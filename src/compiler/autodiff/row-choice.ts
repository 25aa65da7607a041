/**
 * Some rows of a value, without the work for the others. A row of a product, a norm or an
 * elementwise op comes from the same row of its inputs. So the choice moves towards the inputs, up
 * to values whose rows are all needed anyway, or where rows meet.
 */
import type { GraphBuilder } from '../onnx/builder.js';
import { addDims, type Dim, dimsEqual } from '../onnx/dim.js';
import type { OpName } from '../onnx/op-signatures.js';
import { inputsOf, type Node, nodesBelow, type OpNode, type Value } from '../onnx/value.js';

/** Rows of a value [lead + n, ...]: the leading ones, and some of the others. */
export interface RowChoice {
  readonly lead: Dim;
  /** int64 [W], each from 0 to n - 1. */
  readonly rows: Value;
}

const ELEMENTWISE: ReadonlySet<OpName> = new Set(['Add', 'Sub', 'Mul', 'Div', 'Neg', 'Sqrt', 'Reciprocal', 'Cast', 'Identity']);
const PRODUCTS: ReadonlySet<OpName> = new Set(['MatMul', 'Gemm', 'FusedMatMul']);
const NORMS: ReadonlySet<OpName> = new Set(['LayerNormalization', 'SimplifiedLayerNormalization']);
const REDUCTIONS: ReadonlySet<OpName> = new Set(['ReduceSum', 'ReduceMean']);

/**
 * The chosen rows of a value, in this order.
 * @param value [lead + n, ...]
 * @param others values that are needed in full
 * @returns [lead + W, ...]
 */
export function chosenRows(g: GraphBuilder, value: Value, { lead, rows }: RowChoice, others: readonly Value[]): Value {
  const all = value.shape[0]!;
  const count = addDims(lead, rows.shape[0]!);
  const full = nodesInFull(value, others);
  const chosen = new Map<Value, Value>();
  const choose = (of: Value): Value => {
    const known = chosen.get(of);
    if (known !== undefined) return known;
    const made =
      isOp(of.node) && carriesRows(of.node, all) && (!full.has(of.node) || NORMS.has(of.node.op)) ? again(of, of.node) : pick(of);
    chosen.set(of, made);
    return made;
  };
  /** The same op on the chosen rows of its inputs. */
  const again = ({ shape, index }: Value, node: OpNode): Value => {
    const inputs = node.inputs.map((input, at) => (input !== undefined && takesRows(node, at, all) ? choose(input) : input));
    if (node.op === 'Reshape') return g.reshape(inputs[0]!, [count, ...shape.slice(1)]);
    return g.table.operation(node.op, inputs, node.attributes, node.scope)[index]!;
  };
  const pick = (of: Value): Value => {
    if (lead === 0) return g.gather(of, rows);
    const { node } = of;
    if (isOp(node) && joins(node, lead)) return g.concat([node.inputs[0]!, g.gather(node.inputs[1]!, rows)], 0);
    return g.gather(of, g.concat([g.range(0, lead), g.add(rows, g.dim(lead))], 0)); // [lead + W, ...]
  };
  return choose(value);
}

const isOp = (node: Node): node is OpNode => node.kind === 'op';

/** Whether a node puts two values one above the other, the first of which has the leading rows. */
function joins({ op, attributes, inputs }: OpNode, lead: Dim): boolean {
  return op === 'Concat' && attributes.axis === 0 && inputs.length === 2 && dimsEqual(inputs[0]!.shape[0]!, lead);
}

/** The nodes below a value and others whose results the others, or nodes that mix rows, read. */
function nodesInFull(value: Value, others: readonly Value[]): ReadonlySet<Node> {
  const all = value.shape[0]!;
  const full = new Set(others.map(({ node }) => node));
  for (const node of nodesBelow([value, ...others]).toReversed()) {
    if (!isOp(node)) continue;
    const carries = !full.has(node) && carriesRows(node, all);
    for (const [at, input] of node.inputs.entries())
      if (input !== undefined && !(carries && takesRows(node, at, all))) full.add(input.node);
  }
  return full;
}

/** Whether each row of a node's outputs comes from the same row of its inputs. */
function carriesRows(node: OpNode, all: Dim): boolean {
  const { op, attributes, inputs, outputs } = node;
  if (!outputs.every(({ shape }) => shape.length > 0 && dimsEqual(shape[0]!, all))) return false;
  const rank = inputs[0]!.shape.length;
  if (ELEMENTWISE.has(op)) return inputsOf(node).every((input) => input.shape.length <= outputs[0]!.shape.length);
  if (PRODUCTS.has(op))
    return rank === 2 && inputs[1]!.shape.length === 2 && attributes.transA !== 1 && (inputs[2]?.shape.length ?? 1) === 1;
  if (NORMS.has(op)) return attributes.axis === -1 || attributes.axis === rank - 1;
  if (REDUCTIONS.has(op)) return attributes.keepdims === 1 && (inputs[1]!.content ?? [0]).every((axis) => axis !== 0 && axis !== -rank);
  if (op === 'Concat' || op === 'Split') return attributes.axis !== 0 && attributes.axis !== -rank;
  return op === 'Reshape' && dimsEqual(inputs[0]!.shape[0]!, all);
}

/** Whether an input of such a node has its rows, and not one row for all. */
function takesRows({ op, inputs, outputs }: OpNode, at: number, all: Dim): boolean {
  const { shape } = inputs[at]!;
  if (op === 'Concat') return true;
  if (ELEMENTWISE.has(op)) return shape.length === outputs[0]!.shape.length && dimsEqual(shape[0]!, all);
  return at === 0;
}
