/**
 * In which order the graphs of a backbone are opened. Opening is slow: 0.5 s of a vjp of 12 layers,
 * as ONNX Runtime's memory planner is quadratic, and as much for packed weights (packed-graphs.ts).
 */
import { type BackboneManifest, type SpanKind, spanKinds } from '../../artifacts/manifest.js';

/** The most used kind first. */
export const kindsByUse: readonly SpanKind[] = ['softPrompt', ...spanKinds.filter((kind) => kind !== 'softPrompt')];

/** Files of graphs, in order. */
export interface GraphOrder {
  /** Open before the first call is answered. */
  readonly first: readonly string[];
  /** Opened after that, one by one, between calls. */
  readonly later: readonly string[];
}

/** The forward of the most used kind, then what its step needs, then the other kinds. */
export function graphOrder({ graphs }: Pick<BackboneManifest, 'graphs'>): GraphOrder {
  const files = kindsByUse.flatMap((kind) => graphs[kind] ?? []).flatMap(({ forward, vjp, infer }) => [forward.file, vjp.file, infer.file]);
  return { first: files.slice(0, 1), later: files.slice(1) };
}
