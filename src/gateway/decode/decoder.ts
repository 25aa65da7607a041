/** Opens a backbone's decoder: it computes rows on lanes, and knows nothing of tenants or time. */
import { availableParallelism } from 'node:os';
import { decodeGraphOf } from '../../artifacts/decode-graph.js';
import type { BackboneArtifact } from '../../artifacts/store.js';
import type { SpawnDecodeWorker } from '../../runtime/decode/decode-worker.js';
import { type Decoder, openLaneDecoder } from '../../runtime/decode/lane-decoder.js';

export type { Decoder, Lane, LaneRows } from '../../runtime/decode/lane-decoder.js';

export interface DecoderOptions {
  readonly artifact: BackboneArtifact;
  /** Threads of one operator. Default: the machine's cores. */
  readonly threads?: number | undefined;
  readonly spawn?: SpawnDecodeWorker | undefined;
}

/**
 * Opens the decode graph in a worker thread, which holds a copy of the backbone's weights.
 * @throws CutlayerError UNIMPLEMENTED (no decode graph), INVALID_ARTIFACT, UNSUPPORTED_OP,
 *   UNAVAILABLE
 */
export async function openDecoder({ artifact, threads = availableParallelism(), spawn }: DecoderOptions): Promise<Decoder> {
  const { manifest, dir } = artifact;
  const { file, ...layout } = decodeGraphOf(manifest);
  const { hiddenSize, numLayers, numHeads, numKvHeads, headDim } = manifest.dims;
  const weights = manifest.files.find(({ path }) => path === manifest.weightsFile);
  const blocks = { layers: numLayers, hiddenSize, group: numHeads / numKvHeads, numKvHeads, headDim };
  return openLaneDecoder({ dir, weights, graph: file, threads, spawn, ...layout, ...blocks });
}
