/**
 * Cuts one graph of outputs and cotangents into two that run at different times. The forward graph
 * also returns the residuals. The vjp graph is fed them and recomputes the rest. A third graph is
 * the forward alone.
 */
import type { GraphBuilder } from '../onnx/builder.js';
import type { Graph } from '../onnx/graph.js';
import { inputsOf, nodesBelow, type Value } from '../onnx/value.js';
import { chooseResiduals, type NominalSizes } from './residual-policy.js';

export interface PartitionRequest {
  readonly outputs: Readonly<Record<string, Value>>;
  /** The outputs of the vjp graph, by name: cotangents made by `vjp`. */
  readonly cotangentOutputs: Readonly<Record<string, Value>>;
  /** The graph inputs that are fed only to the vjp graph: the cotangents of the outputs. */
  readonly cotangents: readonly Value[];
  readonly sizes?: NominalSizes;
}

/** A value that the forward graph returns and the vjp graph is fed, under the same name. */
export interface Residual {
  readonly name: string;
  readonly value: Value;
}

/** The graphs. The vjp graph's inputs are forward inputs, residuals and the cotangents. */
export interface Partition {
  readonly forward: Graph;
  /** `forward` without residuals: a runtime computes every output of a graph, wanted or not. */
  readonly infer: Graph;
  readonly vjp: Graph;
  readonly residuals: readonly Residual[];
}

/** Cuts a graph by the residual policy; residuals are `residual.0`, … in layer order. */
export function partition(g: GraphBuilder, { outputs, cotangentOutputs, cotangents, sizes }: PartitionRequest): Partition {
  const needed = primalsNeeded(Object.values(cotangentOutputs), new Set(cotangents), Object.values(outputs));
  const residuals = chooseResiduals(needed, sizes).map((value, at): Residual => ({ name: `residual.${at}`, value }));
  const extra = Object.fromEntries(residuals.map(({ name, value }) => [name, value]));
  return {
    forward: g.build({ outputs: { ...outputs, ...extra } }),
    infer: g.build({ outputs }),
    vjp: g.build({ outputs: cotangentOutputs, cut: new Map(residuals.map(({ name, value }) => [value, name])) }),
    residuals,
  };
}

/**
 * Forward values that the backward pass reads, in order of creation. A value that only a derivative
 * computes is not saved; the values it is computed from are.
 */
function primalsNeeded(cotangentOutputs: readonly Value[], cotangents: ReadonlySet<Value>, outputs: readonly Value[]): readonly Value[] {
  const forward = new Set(nodesBelow(outputs));
  const needed = new Set(cotangentOutputs.filter((output) => forward.has(output.node)));
  for (const node of nodesBelow([...cotangentOutputs])) {
    if (forward.has(node)) continue;
    for (const input of inputsOf(node)) if (forward.has(input.node) && !cotangents.has(input)) needed.add(input);
  }
  return [...needed].sort((a, b) => a.node.id - b.node.id || a.index - b.index);
}
