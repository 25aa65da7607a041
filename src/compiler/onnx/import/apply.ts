/**
 * Applies an opened model to values of a graph builder, node by node. Its nodes become the
 * builder's own ops, so shapes, derivatives and residuals come as for any other graph.
 */
import { CutlayerError } from '../../../errors.js';
import type { GraphBuilder } from '../builder.js';
import type { Value } from '../value.js';
import {
  ATTRIBUTE,
  type Binding,
  isValue,
  type Known,
  NodeContext,
  nodeError,
  nodeLabel,
  type Translator,
  type Translators,
  tensorValue,
} from './context.js';
import { foldNode } from './fold.js';
import { functionKey, type ModelTensor, type OnnxModel, opsetsOf } from './model.js';
import { attentionOps } from './ops-attention.js';
import { contribOps } from './ops-contrib.js';
import { elementwiseOps } from './ops-elementwise.js';
import { movementOps } from './ops-movement.js';
import { numericOps } from './ops-numeric.js';
import type { AttributeProto, FunctionProto, NodeProto, TensorProto } from './proto.js';

const MAX_CALL_DEPTH = 32;
const MAX_APPLIED_NODES = 1 << 20;

/** Ops with graphs inside: which of them run is known only at run time. */
const CONTROL_FLOW: ReadonlySet<string> = new Set(['If', 'Loop', 'Scan', 'SequenceMap']);

const defaultOps: Translators = {
  ...elementwiseOps,
  ...numericOps,
  ...attentionOps,
  ...movementOps,
};

/** Every op that the importer supports, those of other domains with their domain. */
export const importedOps: readonly string[] = [
  ...Object.keys(defaultOps),
  ...Object.keys(contribOps).map((op) => `com.microsoft::${op}`),
].sort();

/** The names that a graph or a function body has given so far. */
type Names = Map<string, Binding>;

interface Body {
  readonly names: Names;
  readonly opsets: ReadonlyMap<string, number>;
  /** In a function: the attributes of the call. */
  readonly attributes?: ReadonlyMap<string, AttributeProto>;
  readonly depth: number;
}

/**
 * Applies a model.
 * @param inputs a value for each of the model's inputs that its outputs need
 * @returns the model's outputs by name
 * @throws CutlayerError INVALID_ONNX, UNSUPPORTED_OP, naming the node
 */
export function applyModel(g: GraphBuilder, model: OnnxModel, inputs: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> {
  return new Application(g, model).run(inputs);
}

class Application {
  private readonly known: Known = new WeakMap();
  private applied = 0;

  constructor(
    private readonly g: GraphBuilder,
    private readonly model: OnnxModel,
  ) {}

  run(inputs: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> {
    const { graph, initializers, opsets, path } = this.model;
    const names: Names = new Map(inputs);
    const outputs = graph.output.map(({ name }) => name);
    const { nodes, read } = neededNodes(graph.node, outputs);
    for (const [name, source] of initializers) {
      if (names.has(name) || !read.has(name)) continue;
      names.set(name, tensorValue(this.g, this.known, source));
    }
    this.body(nodes, { names, opsets, depth: 0 });
    return new Map(
      outputs.map((name): [string, Value] => {
        const found = names.get(name);
        if (!isValue(found)) throw new CutlayerError('INVALID_ONNX', `${path}: output "${name.slice(0, 200)}" is made by no node`);
        return [name, found];
      }),
    );
  }

  private body(nodes: readonly NodeProto[], body: Body): void {
    for (const node of nodes) {
      if (++this.applied > MAX_APPLIED_NODES)
        throw new CutlayerError('LIMIT_EXCEEDED', `${this.model.path}: functions unfold to more than ${MAX_APPLIED_NODES} nodes`);
      const outputs = this.node(node, body);
      for (const [at, name] of node.output.entries()) {
        if (name === '') continue;
        if (body.names.has(name))
          throw new CutlayerError('INVALID_ONNX', `${nodeLabel(node)}: makes "${name.slice(0, 200)}", which exists already`);
        const output = outputs[at];
        if (output !== undefined) body.names.set(name, output);
      }
    }
  }

  private node(node: NodeProto, body: Body): readonly (Binding | undefined)[] {
    const attributes = this.attributesOf(node, body);
    const inputs = node.input.map((name) => {
      if (name === '') return undefined;
      const found = body.names.get(name);
      if (found !== undefined) return found;
      const why = 'which no input, initializer or earlier node makes: the name is wrong or the graph has a cycle';
      throw nodeError('INVALID_ONNX', node, `reads "${name.slice(0, 200)}", ${why}`);
    });
    const fn = this.model.functions.get(functionKey(node, node.op_type));
    if (fn !== undefined) return this.call(fn, node, inputs, attributes, body);
    const domain = node.domain === 'ai.onnx' ? '' : node.domain;
    const c = new NodeContext(node, {
      g: this.g,
      known: this.known,
      tensorOf: (proto) => this.tensorOf(proto),
      attributes,
      inputs,
    });
    const translator = this.translatorOf(c, domain);
    if (domain === '' && !body.opsets.has(domain)) throw c.fail("the model imports no version of ONNX's own operators");
    return this.named(node, c, () => {
      const folded = domain === '' ? foldNode(c) : undefined;
      return folded === undefined ? translator(c) : [folded];
    });
  }

  private translatorOf(c: NodeContext, domain: string): Translator {
    const { op_type: op } = c.node;
    if (domain === '' && CONTROL_FLOW.has(op))
      throw c.unsupported(
        'control flow is not known: export a model whose path does not depend on data, or let the exporter fold constants',
      );
    const table = domain === '' ? defaultOps : domain === 'com.microsoft' ? contribOps : {};
    const translator = Object.hasOwn(table, op) ? table[op] : undefined;
    if (translator === undefined) throw c.unsupported('this op is not known; docs/onnx.md lists those that are');
    return translator;
  }

  /** Makes a node's ops under its own name; the builder's errors become the node's. */
  private named<T>(node: NodeProto, c: NodeContext, make: () => T): T {
    try {
      return this.g.scoped(node.name || node.output[0] || node.op_type, make);
    } catch (caught) {
      if (
        !(caught instanceof CutlayerError) ||
        (caught.code !== 'INVALID_SHAPE' && caught.code !== 'INVALID_GRAPH' && caught.code !== 'INVALID_DTYPE')
      )
        throw caught;
      throw c.fail(caught.message);
    }
  }

  /** A call of a function: its body with the call's inputs and attributes. */
  private call(
    fn: FunctionProto,
    node: NodeProto,
    inputs: readonly (Binding | undefined)[],
    attributes: ReadonlyMap<string, AttributeProto>,
    { depth }: Body,
  ): readonly (Binding | undefined)[] {
    const fail = (why: string) => new CutlayerError('INVALID_ONNX', `${nodeLabel(node)}: ${why}`);
    if (depth >= MAX_CALL_DEPTH) throw fail(`functions call each other more than ${MAX_CALL_DEPTH} deep`);
    if (inputs.length > fn.input.length) throw fail(`the function takes ${fn.input.length} inputs, got ${inputs.length}`);
    const names: Names = new Map();
    for (const [at, name] of fn.input.entries()) {
      const input = inputs[at];
      if (input !== undefined) names.set(name, input);
    }
    const given = new Map([...fn.attribute_proto.map((attribute): [string, AttributeProto] => [attribute.name, attribute]), ...attributes]);
    const { nodes } = neededNodes(fn.node, fn.output);
    this.g.scoped(node.name || node.op_type, () =>
      this.body(nodes, { names, opsets: opsetsOf(fn.opset_import, fail), attributes: given, depth: depth + 1 }),
    );
    return fn.output.map((name) => names.get(name));
  }

  /** A node's attributes; inside a function some stand for the call's. */
  private attributesOf(node: NodeProto, body: Body): ReadonlyMap<string, AttributeProto> {
    const attributes = new Map<string, AttributeProto>();
    for (const attribute of node.attribute) {
      const { ref_attr_name: reference, name } = attribute;
      const meant = reference === '' ? attribute : body.attributes?.get(reference);
      if (meant !== undefined && meant.type !== ATTRIBUTE.graph && meant.type !== ATTRIBUTE.graphs) attributes.set(name, meant);
    }
    return attributes;
  }

  private tensorOf(proto: TensorProto): ModelTensor {
    const found = this.model.constants.get(proto);
    if (found === undefined) throw new CutlayerError('INVALID_ONNX', `${this.model.path}: a tensor attribute has not been opened`);
    return found;
  }
}

/** The nodes that some outputs need, in their order, and every name that these read. */
function neededNodes(
  nodes: readonly NodeProto[],
  outputs: readonly string[],
): { readonly nodes: readonly NodeProto[]; readonly read: ReadonlySet<string> } {
  const read = new Set(outputs);
  const needed = nodes.toReversed().filter((node) => {
    if (!node.output.some((name) => name !== '' && read.has(name))) return false;
    for (const name of node.input) read.add(name);
    return true;
  });
  return { nodes: needed.reverse(), read };
}
