/**
 * Bottom, backbone and top are one function on different blocks: rows through blocks [first, end).
 * This module makes flat rows of its inputs and names its values once, for forward and vjp.
 */
import type { SpanKind } from '../../artifacts/manifest.js';
import { blocks } from '../models/decoder.js';
import type { DecoderGraph } from '../models/decoder-weights.js';
import { addLearnedPositions } from '../models/embedding.js';
import { joinRows, type RowLayout, rowPositions, type SplitRows, splitRows } from '../models/rows.js';
import { multiplyDims, symbol } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';

/** The symbolic dims of every graph: batch, sequence, virtual tokens, wanted rows. */
export const dims = { B: symbol('B'), S: symbol('S'), P: symbol('P'), N: symbol('N') };

export interface SpanPlan {
  /** Blocks [first, end). */
  readonly span: readonly [number, number];
  readonly kind: SpanKind;
  /** Whether learned position embeddings are added first: the bottom of a family that has them. */
  readonly addPositions: boolean;
  /** Whether the output is the rows at an input `positions` instead of all rows. */
  readonly wantedOnly: boolean;
  readonly inputNames: { readonly hiddenStates: string; readonly softPrompt: string };
}

export interface Span {
  /** [B, S, d] */
  readonly hiddenStates: Value;
  /** Soft prompt [P, d] or prefix [layers, 2, P, numKvHeads, headDim]; absent for no block. */
  readonly adapter?: Value;
  readonly layout: RowLayout;
  /** [R, d], or [N, d] where only some are wanted. */
  readonly rows: Value;
}

export function buildSpan(decoder: DecoderGraph, plan: SpanPlan): Span {
  const { g, spec } = decoder;
  const { kind, inputNames } = plan;
  const { B, S, P } = dims;
  const [first, end] = plan.span;
  const hiddenStates = g.input(inputNames.hiddenStates, 'float32', [B, S, spec.hiddenSize]);
  const text = g.reshape(hiddenStates, [multiplyDims(B, S), spec.hiddenSize]); // [B * S, d]
  const wanted = plan.wantedOnly ? g.input('positions', 'int64', [dims.N]) : undefined;
  const layout = { batch: B, sequence: S, virtualTokens: kind === 'none' ? 0 : P, promptRows: kind === 'softPrompt' ? P : 0 };
  const prompt = kind === 'softPrompt' ? g.input(inputNames.softPrompt, 'float32', [P, spec.hiddenSize]) : undefined;
  const { numKvHeads, headDim } = spec.attention;
  const prefix = kind === 'prefix' && first < end ? g.input('prefix', 'float32', [end - first, 2, P, numKvHeads, headDim]) : undefined;
  let rows = prompt === undefined ? text : joinRows(g, { prompt, text });
  if (plan.addPositions) {
    // A prefix of no block is not fed, so P comes from an input of its own.
    const count = kind === 'prefix' && prefix === undefined ? g.input('numVirtualTokens', 'int64', []) : g.dim(layout.virtualTokens);
    rows = addLearnedPositions(decoder, rows, rowPositions(g, layout, count));
  }
  const adapter = prompt ?? prefix;
  return { hiddenStates, ...(adapter && { adapter }), layout, rows: blocks(decoder, layout, rows, { first, end, wanted, prefix }) };
}

/** All rows, split: hidden states [B, S, d] and, with a soft prompt, its rows [P, d]. */
export function partedRows({ g, spec }: DecoderGraph, { rows, layout }: Span): SplitRows {
  const { prompt, text } = splitRows(g, rows, layout);
  const hiddenStates = g.reshape(text, [layout.batch, layout.sequence, spec.hiddenSize]); // [B, S, d]
  return prompt === undefined ? { text: hiddenStates } : { prompt, text: hiddenStates };
}
