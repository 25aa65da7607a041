/** The backbone's graphs by adapter kind: forward with residuals, its vjp, forward without. */
import type { Cut, SpanKind } from '../../artifacts/manifest.js';
import type { Partition } from '../autodiff/partition.js';
import { DecoderGraph } from '../models/decoder-weights.js';
import type { Optimizations } from '../models/optimizations.js';
import type { ModelDescription } from '../models/registry.js';
import { partitionStep } from './graph-pair.js';
import { buildSpan } from './span.js';

/**
 * The backbone under one adapter kind. Inputs: `hiddenStates` [R,d], packed, with `rowOfSlot` [B,S]
 * and `slotOfRow` [R] (models/row-packing.ts), or [B,S,d] without `packedRows`; `softPrompt` [P,d]
 * or `prefix` [layers,2,P,numKvHeads,headDim]; `positions` int64 [N]. Forward gives `output` [N,d]
 * and the residuals, infer only `output`. The vjp takes `cotangent` [N,d] and gives
 * `hiddenStatesCotangent` and `softPromptCotangent` or `prefixCotangent`, each of its input's
 * shape.
 */
export function compileBackbone(model: ModelDescription, cut: Cut, kind: SpanKind, optimizations?: Optimizations): Partition {
  const decoder = new DecoderGraph(model, 'frozen', optimizations);
  const { rows, wrt } = buildSpan(decoder, cut, 'backbone', kind, decoder.optimizations.packedRows);
  return partitionStep(decoder.g, rows, wrt);
}
