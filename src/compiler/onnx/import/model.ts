/** An opened ONNX model: checked versions, its graph, functions and tensors. */
import { CutlayerError } from '../../../errors.js';
import type { FunctionProto, GraphProto, NodeProto, OpsetProto, TensorProto } from './proto.js';
import { scanModel } from './scan.js';
import { readWhole, type TensorSource, TensorSources } from './tensor-source.js';

/** The versions of the default operator set whose semantics the importer knows. */
export const OPSETS = { first: 17, last: 23 } as const;

const IR_VERSIONS = { first: 3, last: 13 } as const;
const MAX_NODES = 1 << 20;

/** Integers of at most so many elements, and any scalar, are constants; all else is a weight. */
const MAX_CONSTANT_ELEMENTS = 64;

/** A tensor of the model: small with its bytes, or large under its weight's name. */
export type ModelTensor = TensorSource & { readonly weightName: string; readonly bytes?: Uint8Array };

export interface OnnxModel {
  readonly path: string;
  readonly graph: GraphProto;
  /** By `functionKey`. */
  readonly functions: ReadonlyMap<string, FunctionProto>;
  readonly opsets: ReadonlyMap<string, number>;
  readonly initializers: ReadonlyMap<string, ModelTensor>;
  /** Tensors of `Constant` nodes and the like. */
  readonly constants: ReadonlyMap<TensorProto, ModelTensor>;
}

/** The key of a function: nodes call it by the same three names. */
export const functionKey = (node: { readonly domain: string; readonly overload: string }, name: string): string =>
  JSON.stringify([node.domain === 'ai.onnx' ? '' : node.domain, name, node.overload]);

/**
 * Opens a model file; weights are located, not read.
 * @throws CutlayerError NOT_FOUND, INVALID_ONNX, LIMIT_EXCEEDED
 */
export async function openModel(path: string): Promise<OnnxModel> {
  const { model, graph, initializers: scanned } = await scanModel(path);
  const fail = (why: string) => new CutlayerError('INVALID_ONNX', `${path}: ${why}`);
  if (!(model.ir_version >= IR_VERSIONS.first && model.ir_version <= IR_VERSIONS.last))
    throw fail(`IR version: expected ${IR_VERSIONS.first} to ${IR_VERSIONS.last}, got ${model.ir_version}`);
  if (graph.node.length > MAX_NODES) throw fail(`expected at most ${MAX_NODES} nodes, got ${graph.node.length}`);
  if (graph.sparse_initializer.length > 0) throw fail('sparse initializers are not read; store them dense');

  const sources = new TensorSources(path);
  const weightNames = new Set<string>();
  const modelTensor = async (source: TensorSource): Promise<ModelTensor> => {
    const base = `backbone.${source.name}`;
    let weightName = base;
    for (let count = 1; weightNames.has(weightName); count++) weightName = `${base}.${count}`;
    weightNames.add(weightName);
    return isConstant(source) ? { ...source, weightName, bytes: await readWhole(source) } : { ...source, weightName };
  };
  const initializers = new Map<string, ModelTensor>();
  for (const { proto, data } of scanned) {
    if (proto.name === '') throw fail('an initializer has no name');
    if (initializers.has(proto.name)) throw fail(`two initializers are named "${proto.name.slice(0, 200)}"`);
    initializers.set(proto.name, await modelTensor(await sources.open(proto, proto.name, data)));
  }
  const functions = new Map<string, FunctionProto>();
  for (const fn of model.functions) {
    const key = functionKey(fn, fn.name);
    if (functions.has(key)) throw fail(`two functions are named "${fn.domain}::${fn.name}"`);
    functions.set(key, fn);
  }
  const constants = new Map<TensorProto, ModelTensor>();
  const collect = async (nodes: readonly NodeProto[]): Promise<void> => {
    for (const node of nodes) {
      for (const { t } of node.attribute) {
        if (t !== null) constants.set(t, await modelTensor(await sources.open(t, node.output[0] || node.name || 'constant')));
      }
    }
  };
  await collect(graph.node);
  for (const { node } of functions.values()) await collect(node);
  return { path, graph, functions, opsets: opsetsOf(model.opset_import, fail), initializers, constants };
}

/**
 * Versions by domain.
 * @throws CutlayerError INVALID_ONNX when the default domain's version is not supported
 */
export function opsetsOf(imports: readonly OpsetProto[], fail: (why: string) => CutlayerError): ReadonlyMap<string, number> {
  const opsets = new Map(imports.map(({ domain, version }) => [domain === 'ai.onnx' ? '' : domain, version]));
  const version = opsets.get('');
  if (version !== undefined && (version < OPSETS.first || version > OPSETS.last))
    throw fail(`opset: expected ${OPSETS.first} to ${OPSETS.last}, got ${version}; export with opset_version in that range`);
  return opsets;
}

function isConstant({ elements, dtype }: TensorSource): boolean {
  const real = dtype === 'float32' || dtype === 'float64';
  return elements <= (real ? 1 : MAX_CONSTANT_ELEMENTS);
}
