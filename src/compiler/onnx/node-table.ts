/**
 * Hash-consing: the same op on the same values with the same attributes is one node. So equal
 * computations are one object, and the backward pass shares its repeats.
 */
import { createHash } from 'node:crypto';
import { CutlayerError } from '../../errors.js';
import type { DType } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import { type Dim, dimText, type Shape, shapesEqual, shapeText, symbolName } from './dim.js';
import { type AttributeValue, type OpName, signatureOf } from './op-signatures.js';
import { inferTypes } from './shape-rules.js';
import { type Node, nodeText, type OpNode, type Value, type ValueType } from './value.js';

/** Makes a node. Object literals are many times faster than spreading a draft. */
type MakeNode = (id: number, outputs: readonly Value[]) => Node;

/** Constants longer than this are not followed by shape rules. */
const MAX_CONTENT = 64;

/** Constants of more bytes than this are compared by their digest. */
const MAX_KEY_BYTES = 64;

export class NodeTable {
  readonly #nodes: Node[] = [];
  readonly #byKey = new Map<string, Node>();
  readonly #named = new Map<string, Value>();

  /** Every node made so far, inputs before users. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /**
   * The graph input or weight of this name; the same name must always come with the same type.
   * @throws CutlayerError INVALID_GRAPH
   */
  named(kind: 'input' | 'weight', name: string, dtype: DType, shape: Shape): Value {
    if (name === '') throw new CutlayerError('INVALID_GRAPH', `${kind}: the name must not be empty`);
    const known = this.#named.get(name);
    if (known === undefined) {
      const value = this.#add((id, outputs) => ({ kind, name, id, outputs }), [{ dtype, shape }])[0]!;
      this.#named.set(name, value);
      return value;
    }
    if (known.node.kind !== kind || known.dtype !== dtype || !shapesEqual(known.shape, shape)) {
      throw new CutlayerError(
        'INVALID_GRAPH',
        `${kind} "${name}" ${dtype} ${shapeText(shape)}: the name is taken by ${known.node.kind} ${known.dtype} ${shapeText(known.shape)}`,
      );
    }
    return known;
  }

  constant(tensor: Tensor): Value {
    const { dtype, shape, data } = tensor;
    const content = dtype === 'int64' && shape.length <= 1 && data.length <= MAX_CONTENT ? { content: Array.from(data, Number) } : {};
    return this.#intern(
      `constant|${tensorKey(tensor)}`,
      (id, outputs) => ({ kind: 'constant', tensor, id, outputs }),
      () => [{ dtype, shape, ...content }],
    )[0]!;
  }

  /** The run-time size of a symbol, int64 [1]. */
  symbolSize(dim: Dim): Value {
    const name = symbolName(dim);
    if (name === undefined) throw new CutlayerError('INVALID_GRAPH', 'symbolSize: expected a dimension that is one symbol');
    const type: ValueType = { dtype: 'int64', shape: [1], content: [dim] };
    return this.#intern(
      `symbol|${name}`,
      (id, outputs) => ({ kind: 'symbol', symbol: name, id, outputs }),
      () => [type],
    )[0]!;
  }

  /** The size of a symbol that an op computes on other sizes, int64 [1]. */
  computedSize(dim: Dim, op: OpName, inputs: readonly Value[]): Value {
    const type: ValueType = { dtype: 'int64', shape: [1], content: [dim] };
    const make = (id: number, outputs: readonly Value[]): OpNode => ({ kind: 'op', op, inputs, attributes: {}, scope: '', id, outputs });
    return this.#intern(`size|${dimText(dim)}`, make, () => [type])[0]!;
  }

  /**
   * The outputs of an op on these inputs, in the order of its signature.
   * @throws CutlayerError INVALID_SHAPE
   */
  operation(
    op: OpName,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, AttributeValue>>,
    scope: string,
  ): readonly Value[] {
    this.#checkOwned(inputs, op);
    const key = `${op}|${inputs.map(valueKey).join(',')}|${Object.entries(attributes)
      .map(([name, value]) => `${name}=${attributeKey(value)}`)
      .join(',')}`;
    const make = (id: number, outputs: readonly Value[]): OpNode => ({ kind: 'op', op, inputs, attributes, scope, id, outputs });
    return this.#intern(key, make, () => inferTypes(op, inputs, attributes, () => nodeText(make(this.#nodes.length, []))));
  }

  #intern(key: string, make: MakeNode, types: () => readonly ValueType[]): readonly Value[] {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known.outputs;
    const outputs = this.#add(make, types());
    this.#byKey.set(key, outputs[0]!.node);
    return outputs;
  }

  #add(make: MakeNode, types: readonly ValueType[]): readonly Value[] {
    const outputs: Value[] = [];
    const node = Object.freeze(make(this.#nodes.length, outputs));
    for (const [index, { dtype, shape, content }] of types.entries()) {
      const value = content === undefined ? { dtype, shape, node, index } : { dtype, shape, content, node, index };
      outputs.push(Object.freeze(value));
    }
    this.#nodes.push(node);
    return outputs;
  }

  #checkOwned(inputs: readonly (Value | undefined)[], op: OpName): void {
    inputs.forEach((input, at) => {
      if (input !== undefined && this.#nodes[input.node.id] !== input.node) {
        const name = Object.keys(signatureOf(op).inputs)[at] ?? `inputs[${at}]`;
        throw new CutlayerError('INVALID_GRAPH', `${op}: ${name} (${nodeText(input.node)}) belongs to another graph builder`);
      }
    });
  }
}

const valueKey = (value: Value | undefined): string => (value === undefined ? '-' : `${value.node.id}.${value.index}`);

function tensorKey({ dtype, shape, data }: Tensor): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const content = bytes.length <= MAX_KEY_BYTES ? Buffer.from(bytes).toString('hex') : createHash('sha256').update(bytes).digest('hex');
  return `${dtype}[${shape.join(',')}]${content}`;
}

function attributeKey(value: AttributeValue): string {
  return typeof value === 'object' && 'dtype' in value ? tensorKey(value) : JSON.stringify(value);
}
