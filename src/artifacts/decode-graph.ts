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

/** Longest span of rows that can be decoded; undefined without a decode graph. */
export function decodeMaxRows({ graphs }: Graphs): number | undefined {
  return graphs.decode?.maxRows;
}
