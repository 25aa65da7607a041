/**
 * Checks a graph of an artifact before ONNX Runtime opens it: its ops, and where the elements of
 * its tensors lie.
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
import { CutlayerError } from '../errors.js';
import { isAllowed } from './allowed-ops.js';
import { checkTensor, type WeightsFile } from './external-data.js';
import { fieldsOf, textOf } from './protobuf-fields.js';

/** Field numbers of the protocol buffers that are read. */
const MODEL = { graph: 7, trainingInfo: 20, functions: 25 } as const;
const GRAPH = { node: 1, initializer: 5, sparseInitializer: 15 } as const;
const NODE = { opType: 4, attribute: 5, domain: 7 } as const;
const ATTRIBUTE = { tensor: 5, graph: 6, tensors: 10, graphs: 11, sparseTensor: 22, sparseTensors: 23 } as const;

/**
 * Checks a model.
 * @param graph the model's file below the artifact's directory. @param weights where its external
 *   data may lie; absent, it may have none.
 * @throws CutlayerError INVALID_ARTIFACT (not a model, elements elsewhere), UNSUPPORTED_OP
 */
export function checkGraph(model: Uint8Array, graph: string, weights?: WeightsFile): void {
  // ONNX Runtime takes the format from the name: an .ort file is no protocol buffer.
  if (!graph.endsWith('.onnx'))
    throw new CutlayerError('INVALID_ARTIFACT', `${graph}: expected a file whose name ends in .onnx; pack the checkpoint again`);
  for (const { field, bytes } of fieldsOf(model, graph)) {
    if (field === MODEL.functions) throw refused(graph, 'a function');
    if (field === MODEL.trainingInfo) throw refused(graph, 'a training graph');
    if (field !== MODEL.graph) continue;
    for (const part of fieldsOf(bytes, graph)) {
      if (part.field === GRAPH.node) checkNode(part.bytes, graph, weights);
      if (part.field === GRAPH.initializer) checkTensor(part.bytes, graph, weights);
      if (part.field === GRAPH.sparseInitializer) throw refused(graph, 'a sparse tensor');
    }
  }
}

function checkNode(node: Uint8Array, graph: string, weights: WeightsFile | undefined): void {
  let [op, domain] = ['', ''];
  for (const { field, bytes } of fieldsOf(node, graph)) {
    if (field === NODE.opType) op = textOf(bytes);
    if (field === NODE.domain) domain = textOf(bytes);
    if (field === NODE.attribute) checkAttribute(bytes, graph, weights);
  }
  if (!isAllowed(op, domain)) {
    const name = domain === '' || domain === 'ai.onnx' ? op : `${domain}.${op}`;
    throw refused(graph, `the op ${JSON.stringify(name.slice(0, 80))}`);
  }
}

function checkAttribute(attribute: Uint8Array, graph: string, weights: WeightsFile | undefined): void {
  for (const { field, bytes } of fieldsOf(attribute, graph)) {
    if (field === ATTRIBUTE.graph || field === ATTRIBUTE.graphs) throw refused(graph, 'a graph inside a node');
    if (field === ATTRIBUTE.sparseTensor || field === ATTRIBUTE.sparseTensors) throw refused(graph, 'a sparse tensor');
    if (field === ATTRIBUTE.tensor || field === ATTRIBUTE.tensors) checkTensor(bytes, graph, weights);
  }
}

const refused = (graph: string, what: string): CutlayerError =>
  new CutlayerError('UNSUPPORTED_OP', `${graph}: expected only ops that pack writes, got ${what}; pack the checkpoint again`);
