/** The immutable intermediate representation: nodes and values, made by the node table only. */
import type { DType } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Dim, Shape } from './dim.js';
import type { AttributeValue, OpName } from './op-signatures.js';

/** Element type and shape of a value, and its elements where a shape rule could follow them. */
export interface ValueType {
  readonly dtype: DType;
  readonly shape: Shape;
  /** The elements of an int64 scalar or vector, if known while building. */
  readonly content?: readonly Dim[];
}

/** One output of a node. Equal computations are the same object. */
export interface Value extends ValueType {
  readonly node: Node;
  readonly index: number;
}

interface NodeBase {
  /** Grows with creation: every node's id is above those of its inputs. */
  readonly id: number;
  readonly outputs: readonly Value[];
}

export interface InputNode extends NodeBase {
  readonly kind: 'input';
  readonly name: string;
}

/** A frozen parameter, whose bytes lie in an external file. */
export interface WeightNode extends NodeBase {
  readonly kind: 'weight';
  readonly name: string;
}

/** A small tensor held in the graph itself. */
export interface ConstantNode extends NodeBase {
  readonly kind: 'constant';
  readonly tensor: Tensor;
}

/** The run-time size of a symbol, int64 [1], read from a graph input's shape. */
export interface SymbolNode extends NodeBase {
  readonly kind: 'symbol';
  readonly symbol: string;
}

/** An op on values. `inputs` are in signature order; absent optional ones are undefined. */
export interface OpNode extends NodeBase {
  readonly kind: 'op';
  readonly op: OpName;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** The scope in which the node was first made: a readable prefix of its name. */
  readonly scope: string;
}

export type Node = InputNode | WeightNode | ConstantNode | SymbolNode | OpNode;

/** The values that a node reads. */
export function inputsOf(node: Node): readonly Value[] {
  return node.kind === 'op' ? node.inputs.filter((input) => input !== undefined) : [];
}

/**
 * The nodes that some values need, inputs before users. There is no recursion: a decoder's backward
 * pass is deeper than the call stack.
 */
export function nodesBelow(values: readonly Value[]): readonly Node[] {
  const found = new Set<Node>();
  const pending = values.map(({ node }) => node);
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const input of inputsOf(node)) pending.push(input.node);
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/** A name for messages: the input's or weight's own name, or scope, op and id. */
export function nodeText(node: Node): string {
  switch (node.kind) {
    case 'op':
      return `${node.scope}${node.scope === '' ? '' : '/'}${node.op}#${node.id}`;
    case 'constant':
      return `constant#${node.id}`;
    case 'symbol':
      return `symbol ${node.symbol}`;
    default:
      return node.name;
  }
}
