/** Writes the graphs of decoding: the backbone's, and those of the blocks that a client holds. */
import type { ClientBundleManifest, ClientDecodeGraphs, Cut, DecodeGraph } from '../../artifacts/manifest.js';
import { compileDecode, type DecodeSpan, decodeRows } from '../graphs/decode-graph.js';
import { KEY_BLOCK, laneShapes } from '../models/lane-attention.js';
import type { ModelDescription } from '../models/registry.js';
import type { GraphFiles } from './graph-files.js';

/** The lanes of a gateway's run: a batch of more rows costs less a row up to about as many. */
const BACKBONE_LANES = 8;
/** A client's block runs are short beside a round trip, and weights as inputs are one lane's. */
const CLIENT_LANES = 1;

/** Writes the backbone's `decode.onnx`. */
export function writeBackboneDecode(files: GraphFiles, model: ModelDescription, cut: Cut): DecodeGraph {
  return writeDecode(files, 'decode.onnx', model, cut, { part: 'backbone', lanes: BACKBONE_LANES });
}

/** Writes `<span>-decode.onnx` and `<span>-decode-trained.onnx` of the spans that have blocks. */
export function writeClientDecode(files: GraphFiles, model: ModelDescription, cut: Cut): ClientBundleManifest['graphs']['decode'] {
  const span = (part: 'bottom' | 'top'): ClientDecodeGraphs => ({
    frozen: writeDecode(files, `${part}-decode.onnx`, model, cut, { part, lanes: CLIENT_LANES }),
    trained: writeDecode(files, `${part}-decode-trained.onnx`, model, cut, { part, lanes: CLIENT_LANES, weights: 'inputs' }),
  });
  return { ...(cut.bottom > 0 && { bottom: span('bottom') }), ...(cut.top > 0 && { top: span('top') }) };
}

function writeDecode(files: GraphFiles, name: string, model: ModelDescription, cut: Cut, span: DecodeSpan): DecodeGraph {
  const { file } = files.write(name, compileDecode(model, cut, span));
  const { keys, values } = laneShapes(model.spec.attention);
  const { short, long } = decodeRows(model.spec);
  return {
    file,
    lanes: span.lanes,
    maxRows: short,
    ...(long !== undefined && { longRows: long }),
    keyBlock: KEY_BLOCK,
    keyShape: [...keys],
    valueShape: [...values],
  };
}
