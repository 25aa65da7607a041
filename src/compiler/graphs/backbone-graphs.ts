/** The backbone's graphs by adapter kind: forward with residuals, its vjp, forward without. */
import type { Cut, SpanKind } from '../../artifacts/manifest.js';
import type { Partition } from '../autodiff/partition.js';
import { chosenRows } from '../autodiff/row-choice.js';
import { DecoderGraph } from '../models/decoder-weights.js';
import type { Optimizations } from '../models/optimizations.js';
import type { ModelDescription } from '../models/registry.js';
import type { GraphBuilder } from '../onnx/builder.js';
import type { Value } from '../onnx/value.js';
import { partitionStep } from './graph-pair.js';
import { buildSpan, dims, type Span } from './span.js';

/**
 * The backbone under one adapter kind. Inputs: `hiddenStates` [R,d], packed, with `rowOfSlot` [B,S]
 * and `slotOfRow` [R] (models/row-packing.ts), or [B,S,d] without `packedRows`; `softPrompt` [P,d]
 * or `prefix` [layers,2,P,numKvHeads,headDim]; `positions` int64 [N]. Forward gives `output` [N,d]
 * and the residuals, infer only `output`. The vjp takes `cotangent` [N,d] and gives
 * `hiddenStatesCotangent` and `softPromptCotangent` or `prefixCotangent`, each of its input's
 * shape. With `wantedCotangents` and virtual tokens it also takes `cotangentRows` int64 [W], and
 * `hiddenStatesCotangent` is [W,d], of those rows of the hidden states alone.
 */
export function compileBackbone(model: ModelDescription, cut: Cut, kind: SpanKind, optimizations?: Optimizations): Partition {
  const step = backboneStep(new DecoderGraph(model, 'frozen', optimizations), cut, kind);
  const alone = new DecoderGraph(model, 'frozen', optimizations, 'forward');
  const { rows: output } = buildSpan(alone, cut, 'backbone', kind, alone.optimizations.packedRows);
  return { ...step, infer: alone.g.build({ outputs: { output } }) };
}

/** The same, of a decoder that tells how it holds its weights. */
export function backboneStep(decoder: DecoderGraph, cut: Cut, kind: SpanKind): Partition {
  const { packedRows, wantedCotangents } = decoder.optimizations;
  const span = buildSpan(decoder, cut, 'backbone', kind, packedRows);
  // Without virtual tokens a vjp is asked for every row, or not at all.
  if (!packedRows || !wantedCotangents || kind === 'none') return partitionStep(decoder.g, span.rows, span.wrt);
  return partitionChosen(decoder.g, span);
}

/** A step whose vjp gives cotangents of chosen rows. */
function partitionChosen(g: GraphBuilder, { rows, entering, layout: { promptRows }, wrt: { prefix } }: Span): Partition {
  const cotangentRows = g.input('cotangentRows', 'int64', [dims.W]);
  return partitionStep(g, rows, { entering, prefix }, (found) => {
    const others = prefix === undefined ? [] : [found.prefix];
    const chosen = chosenRows(g, found.entering, { lead: promptRows, rows: cotangentRows }, [rows, ...others]); // [P + W, d]
    if (prefix !== undefined) return { prefixCotangent: found.prefix, hiddenStatesCotangent: chosen };
    const [softPromptCotangent, hiddenStatesCotangent] = g.split(chosen, [promptRows, dims.W], 0) as readonly [Value, Value];
    return { softPromptCotangent, hiddenStatesCotangent };
  });
}
