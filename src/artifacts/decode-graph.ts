/** The decode graph of a backbone; some backbones have none. */
import { CutlayerError } from '../errors.js';
import type { BackboneManifest, DecodeGraph } from './manifest.js';

type Graphs = Pick<BackboneManifest, 'graphs'>;

/** Finds it. @throws CutlayerError UNIMPLEMENTED with what the vendor can do */
export function decodeGraphOf({ graphs: { decode } }: Graphs): DecodeGraph {
  if (decode !== undefined) return decode;
  throw new CutlayerError(
    'UNIMPLEMENTED',
    'decode: this backbone has no decode graph: it was packed before decoding was known, or imported from ONNX; ' +
      'a vendor packs a checkpoint again with cutlayer pack; until then each token runs the whole sequence',
  );
}

/**
 * Longest spans of rows that can be decoded; `longRows` 0: none with the rope of long sequences.
 */
export interface SpanLimits {
  readonly maxRows: number;
  readonly longRows: number;
}

/** Those of a backbone; undefined without a decode graph. */
export function spanLimits({ graphs: { decode } }: Graphs): SpanLimits | undefined {
  return decode && { maxRows: decode.maxRows, longRows: decode.longRows ?? 0 };
}
