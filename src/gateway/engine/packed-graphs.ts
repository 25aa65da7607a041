/**
 * Which graphs of a backbone have weights of their own. Copies in the order of the products make a
 * step faster; mapped pages of the weights file are shared by all graphs, and cost nothing.
 * Measured on two cores of a Zen 5, as shares of the time with mapped pages. GPT-2-small shape at 4
 * x 256 + 16 rows: forward 0.94, vjp 0.98. At 2 x 32 + 16: 0.88 and 0.91. A half-billion Llama's
 * shape at 2 x 128 + 16: 0.90 and 0.83.
 *
 * The graphs of one adapter kind are packed together.
 */
import type { BackboneManifest } from '../../artifacts/manifest.js';
import { kindsByUse } from './graph-order.js';

/** The graphs that are packed, and what their copies need. */
export interface PackedGraphs {
  readonly files: readonly string[];
  /** Of all workers. */
  readonly bytes: number;
}

/** The bytes of a backbone's weights. */
export function weightsBytesOf({ files, weightsFile }: Pick<BackboneManifest, 'files' | 'weightsFile'>): number {
  return files.find(({ path }) => path === weightsFile)?.bytes ?? 0;
}

/**
 * Kinds of graphs while their copies fit.
 * @param bytes for copies, of all workers. @param workers each of which has its own
 */
export function packedGraphs(
  manifest: Pick<BackboneManifest, 'graphs' | 'files' | 'weightsFile'>,
  { bytes, workers }: { readonly bytes: number; readonly workers: number },
): PackedGraphs {
  const weights = weightsBytesOf(manifest);
  const files: string[] = [];
  let used = 0;
  for (const kind of kindsByUse) {
    const found = manifest.graphs[kind];
    if (found === undefined) continue;
    const graphs = [found.forward.file, found.infer.file, found.vjp.file];
    const needed = graphs.length * workers * weights;
    if (used + needed > bytes) continue;
    files.push(...graphs);
    used += needed;
  }
  return { files, bytes: used };
}
