/** The graphs of a backbone under one adapter kind; some backbones lack some kinds. */
import { CutlayerError } from '../errors.js';
import type { BackboneManifest, SpanKind, StepGraphs } from './manifest.js';

/** Finds them. @throws CutlayerError ADAPTER_UNSUPPORTED naming the adapter */
export function stepGraphsOf({ graphs }: Pick<BackboneManifest, 'graphs'>, kind: SpanKind): StepGraphs {
  const found = graphs[kind];
  if (found !== undefined) return found;
  throw new CutlayerError(
    'ADAPTER_UNSUPPORTED',
    `${kind}: this backbone cannot be adapted by one: it was imported from a graph without inputs for keys and values; use a soft prompt`,
    { details: { adapter: kind } },
  );
}
