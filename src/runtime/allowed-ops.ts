/**
 * The ops that a graph of an artifact may have: those that pack writes. Graphs come from the other
 * side, and a Loop, Scan or If, a function or an op of a foreign domain may never end.
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
import { CutlayerError } from '../errors.js';

/** Ops by domain; a test compares them with the compiler's table. */
export const allowedOps: Readonly<Record<string, ReadonlySet<string>>> = {
  '': new Set(
    (
      'Add Sub Mul Div Pow Neg Abs Max Min Clip Sqrt Reciprocal Exp Log Sin Cos Tanh Erf Sigmoid Relu Gelu Identity Cast Where Equal ' +
      'Less LessOrEqual And Or Not IsNaN MatMul Gemm ReduceSum ReduceMean ReduceMax ArgMax CumSum Softmax LogSoftmax LayerNormalization ' +
      'SimplifiedLayerNormalization Transpose Reshape Squeeze Unsqueeze Expand Concat Split Slice Pad Trilu Gather GatherElements ' +
      'GatherND ScatterElements ScatterND Shape Range ConstantOfShape'
    ).split(' '),
  ),
  'com.microsoft': new Set(['QuickGelu', 'FusedMatMul']),
};

/** Field numbers of the protocol buffers that are read. */
const MODEL = { graph: 7, functions: 25 } as const;
const GRAPH = { node: 1 } as const;
const NODE = { opType: 4, attribute: 5, domain: 7 } as const;
const ATTRIBUTE = { graph: 6, graphs: 11 } as const;

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * Checks the nodes of a model.
 * @param label the file's name, for messages.
 * @throws CutlayerError INVALID_ARTIFACT (not a model), UNSUPPORTED_OP naming the op
 */
export function checkOps(model: Uint8Array, label: string): void {
  for (const { field, bytes } of fieldsOf(model, label)) {
    if (field === MODEL.functions) throw refused(label, 'a function');
    if (field !== MODEL.graph) continue;
    for (const part of fieldsOf(bytes, label)) if (part.field === GRAPH.node) checkNode(part.bytes, label);
  }
}

function checkNode(node: Uint8Array, label: string): void {
  let [op, domain] = ['', ''];
  for (const { field, bytes } of fieldsOf(node, label)) {
    if (field === NODE.opType) op = text(bytes);
    if (field === NODE.domain) domain = text(bytes);
    if (field !== NODE.attribute) continue;
    for (const part of fieldsOf(bytes, label))
      if (part.field === ATTRIBUTE.graph || part.field === ATTRIBUTE.graphs) throw refused(label, 'a graph inside a node');
  }
  if (domain === 'ai.onnx') domain = '';
  if (!Object.hasOwn(allowedOps, domain) || !allowedOps[domain]!.has(op))
    throw refused(label, `the op ${JSON.stringify(`${domain === '' ? '' : `${domain}.`}${op}`.slice(0, 80))}`);
}

const refused = (label: string, what: string): CutlayerError =>
  new CutlayerError('UNSUPPORTED_OP', `${label}: expected only ops that pack writes, got ${what}; pack the checkpoint again`);

const text = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');

interface Field {
  readonly field: number;
  /** Empty but for fields of bytes. */
  readonly bytes: Uint8Array;
}

/** The fields of a message. @throws CutlayerError INVALID_ARTIFACT */
function* fieldsOf(message: Uint8Array, label: string): Generator<Field> {
  let at = 0;
  const broken = (): CutlayerError =>
    new CutlayerError('INVALID_ARTIFACT', `${label}: the graph or its weights cannot be opened; pack the checkpoint again`, {
      cause: new Error(`${label}: protobuf: a field is not whole at byte ${at} of ${message.length}`),
    });
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) throw broken();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw broken();
  };
  while (at < message.length) {
    const key = varint();
    const [field, wire] = [Math.floor(key / 8), key % 8];
    let bytes: Uint8Array = message.subarray(0, 0);
    if (wire === WIRE.varint) varint();
    else if (wire === WIRE.fixed64) at += 8;
    else if (wire === WIRE.fixed32) at += 4;
    else if (wire === WIRE.bytes) {
      const length = varint();
      if (length > message.length - at) throw broken();
      bytes = message.subarray(at, at + length);
      at += length;
    } else throw broken();
    if (at > message.length) throw broken();
    yield { field, bytes };
  }
}
