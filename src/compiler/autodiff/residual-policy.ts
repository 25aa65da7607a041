/**
 * Which primal values a backward pass is given and which it recomputes. Measured on 2 cores at
 * GPT-2-small shape: recomputing a weight product costs more than fetching its output. Every
 * fetched byte costs page faults: 165 MB of residuals made a forward of 350 ms take 410 to 630 ms.
 * Norms, softmax probabilities, rotations and activations cost a fraction of a product. So: never
 * run a weight product twice, and save the fewest bytes that make this possible. At 4 x 256 tokens
 * and 16 virtual ones a layer of GPT-2 small saves 25.7 MB, one of a 0.5 B Llama 49 MB. In GPT-2
 * these are q, k, v, two residual streams and the inner pre-activation.
 */

import { dtypes } from '../../tensor/dtype.js';
import { sizeDefinition } from '../onnx/computed-dim.js';
import type { Dim } from '../onnx/dim.js';
import { inputsOf, type Node, nodesBelow, type OpNode, type Value } from '../onnx/value.js';

/** Sizes assumed for symbols when bytes are compared; others count as {@link DEFAULT_SIZE}. */
export type NominalSizes = Readonly<Record<string, number>>;

/** A medium training batch: 4 sequences of 256 tokens, 16 virtual tokens, loss on every row. */
export const nominalSizes: NominalSizes = { B: 4, S: 256, P: 16, N: 1024, R: 1024 };

const DEFAULT_SIZE = 256;

/** Ops that cost nothing at run time. */
const VIEWS: ReadonlySet<string> = new Set(['Reshape', 'Squeeze', 'Unsqueeze']);

const PRODUCTS: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'FusedMatMul']);

/**
 * The values to save so that all `needed` values need no second weight product, in order of
 * creation. A saved value costs its bytes; a graph input, weight or constant costs nothing. A cheap
 * op costs what its inputs cost, a weight product the bytes of its output. Values are visited in
 * forward order. A value is saved if that costs no more than recomputing it from what is already
 * saved.
 * @param needed values of the forward pass in order of creation
 */
export function chooseResiduals(needed: readonly Value[], sizes: NominalSizes = nominalSizes): readonly Value[] {
  const saved = new Set<Value>();
  const constant = constantNodes(needed);
  for (const value of needed) {
    const costs = new Map<Value, number>();
    const cost = (of: Value): number => {
      const known = costs.get(of);
      if (known !== undefined) return known;
      const free = saved.has(of) || of.node.kind !== 'op' || constant.has(of.node);
      const price = free ? 0 : Math.min(byteSize(of, sizes), recomputeCost(of.node as OpNode));
      costs.set(of, price);
      return price;
    };
    const recomputeCost = (node: OpNode): number => {
      if (isWeightProduct(node, constant)) return Number.POSITIVE_INFINITY;
      return [...new Set(inputsOf(node))].reduce((sum, input) => sum + cost(input), 0);
    };
    const provide = (of: Value): void => {
      if (cost(of) === 0 || of.node.kind !== 'op') return;
      // A view as a graph output is copied into its own memory, so its source is saved instead.
      if (byteSize(of, sizes) <= recomputeCost(of.node) && !VIEWS.has(of.node.op)) saved.add(of);
      else for (const input of inputsOf(of.node)) provide(input);
    };
    provide(value);
  }
  return [...saved].sort((a, b) => a.node.id - b.node.id || a.index - b.index);
}

/** The bytes of a value when every symbol has its nominal size. */
export function byteSize({ shape, dtype }: Value, sizes: NominalSizes = nominalSizes): number {
  return shape.reduce<number>((bytes, dim) => bytes * nominalDim(dim, sizes), dtypes[dtype].bytes);
}

/** A product with an operand that depends on no graph input: a linear layer, not attention. */
function isWeightProduct(node: OpNode, constant: ReadonlySet<Node>): boolean {
  return (
    PRODUCTS.has(node.op) &&
    inputsOf(node)
      .slice(0, 2)
      .some((operand) => constant.has(operand.node))
  );
}

function nominalDim(dim: Dim, sizes: NominalSizes): number {
  if (typeof dim === 'number') return dim;
  return [...dim.terms].reduce(
    (sum, [monomial, coefficient]) =>
      sum +
      (monomial === '' ? coefficient : monomial.split('*').reduce((product, name) => product * nominalSymbol(name, sizes), coefficient)),
    0,
  );
}

function nominalSymbol(name: string, sizes: NominalSizes): number {
  const defined = sizeDefinition(name);
  if (defined === undefined) return sizes[name] ?? DEFAULT_SIZE;
  const [a, b] = defined.operands.map((operand) => nominalDim(operand, sizes)) as [number, number];
  return defined.op === 'Div' ? Math.floor(a / b) : Math.max(a, b);
}

/** The nodes that depend on weights, constants and sizes alone. */
function constantNodes(needed: readonly Value[]): ReadonlySet<Node> {
  const constant = new Set<Node>();
  for (const node of nodesBelow(needed)) {
    if (node.kind !== 'input' && inputsOf(node).every((input) => constant.has(input.node))) constant.add(node);
  }
  return constant;
}
