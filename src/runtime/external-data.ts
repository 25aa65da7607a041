/**
 * Where the elements of a graph's tensors may lie: in the graph, or in a range of the artifact's
 * weights file. ONNX Runtime opens what a location names, so it must name nothing else.
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
 */
import { posix } from 'node:path';
import { CutlayerError } from '../errors.js';
import { fieldsOf, textOf } from './protobuf-fields.js';

/** The file that the manifest names as its weights. */
export interface WeightsFile {
  /** Below the artifact's directory, with `/`. */
  readonly path: string;
  readonly bytes: number;
}

const TENSOR = { externalData: 13, dataLocation: 14 } as const;
const ENTRY = { key: 1, value: 2 } as const;
const EXTERNAL = 1;

/**
 * Checks a TensorProto.
 * @param graph the graph's file below the artifact's directory: locations are relative to it.
 * @param weights Absent: no tensor may lie outside the graph.
 * @throws CutlayerError INVALID_ARTIFACT naming the location or the range
 */
export function checkTensor(tensor: Uint8Array, graph: string, weights: WeightsFile | undefined): void {
  const entries = new Map<string, string>();
  let external = false;
  for (const { field, bytes, value } of fieldsOf(tensor, graph)) {
    if (field === TENSOR.dataLocation) external ||= value === EXTERNAL;
    if (field !== TENSOR.externalData) continue;
    external = true;
    const [key, text] = entryOf(bytes, graph);
    if (!['location', 'offset', 'length'].includes(key) || entries.has(key))
      throw refused(graph, `location, offset and length once, got ${quoted(key)}`);
    entries.set(key, text);
  }
  if (!external) return;
  const location = entries.get('location') ?? '';
  if (weights === undefined) throw refused(graph, `them in the graph, got ${quoted(location)}`);
  const expected = posix.relative(posix.dirname(graph), weights.path);
  if (location !== expected) throw refused(graph, `the file ${quoted(expected)}, got ${quoted(location)}`);
  const [offset, length] = [entries.get('offset') ?? '', entries.get('length') ?? ''];
  const inBounds = [offset, length].every((text) => /^\d{1,15}$/.test(text)) && Number(offset) + Number(length) <= weights.bytes;
  if (!inBounds)
    throw refused(
      graph,
      `a range of the ${weights.bytes} bytes of ${quoted(location)}, got ${offset.slice(0, 30)} + ${length.slice(0, 30)}`,
    );
}

function entryOf(entry: Uint8Array, graph: string): readonly [key: string, value: string] {
  let [key, value] = ['', ''];
  for (const { field, bytes } of fieldsOf(entry, graph)) {
    if (field === ENTRY.key) key = textOf(bytes);
    if (field === ENTRY.value) value = textOf(bytes);
  }
  return [key, value];
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 200));

const refused = (graph: string, wantedAndGot: string): CutlayerError =>
  new CutlayerError('INVALID_ARTIFACT', `${graph}: a tensor's elements: expected ${wantedAndGot}; pack the checkpoint again`);
