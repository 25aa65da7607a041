/**
 * Bottom, backbone and top are the same function on different blocks: rows in, blocks [first, end), rows out, adapted in one of three
 * ways. Here the inputs of that function become flat rows, and its values are named once for the forward graph and for the vjp.
 */
import type { AdapterKind } from '../../artifacts/manifest.js';
import { blocks } from '../models/decoder.js';
import type { DecoderGraph } from '../models/decoder-weights.js';
import { addLearnedPositions } from '../models/embedding.js';
import { joinRows, type RowLayout, rowPositions, type SplitRows, splitRows } from '../models/rows.js';
import { multiplyDims, symbol } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';

/** The symbolic dims of every graph: batch, sequence, virtual tokens, wanted rows. */
export const dims = { B: symbol('B'), S: symbol('S'), P: symbol('P'), N: symbol('N') };

/** Which function a span is. */
export interface SpanPlan {
  /** Blocks [first, end). */
  readonly span: readonly [number, number];
  readonly kind: AdapterKind;
  /** Learned position embeddings are added first: the bottom of a family that has them. */
  readonly addPositions: boolean;
  /** The output is the rows at an input `positions`, not all rows. */
  readonly wantedOnly: boolean;
  /** Names of the graph inputs. */
  readonly inputNames: { readonly hiddenStates: string; readonly softPrompt: string };
}

/** A span as values of a graph. */
export interface Span {
  /** [B, S, d] */
  readonly hiddenStates: Value;
  /** Soft prompt [P, d], or prefix [layers, 2, P, numKvHeads, headDim]; absent without an adapter or with a prefix of no block. */
  readonly adapter?: Value;
  readonly layout: RowLayout;
  /** [R, d], or [N, d] where only some are wanted. */
  readonly rows: Value;
}

/** Builds a span. */
export function buildSpan(decoder: DecoderGraph, plan: SpanPlan): Span {
  const { g, spec } = decoder;
  const { B, S, P } = dims;
  const d = spec.hiddenSize;
  const [first, end] = plan.span;
  const hiddenStates = g.input(plan.inputNames.hiddenStates, 'float32', [B, S, d]);
  const text = g.reshape(hiddenStates, [multiplyDims(B, S), d]); // [B * S, d]
  const wanted = plan.wantedOnly ? g.input('positions', 'int64', [dims.N]) : undefined;
  switch (plan.kind) {
    case 'none': {
      const layout: RowLayout = { batch: B, sequence: S, virtualTokens: 0, promptRows: 0 };
      const rows = withPositions(decoder, plan, layout, text, () => g.scalar(0, 'int64'));
      return { hiddenStates, layout, rows: blocks(decoder, layout, rows, { first, end, wanted }) };
    }
    case 'softPrompt': {
      const layout: RowLayout = { batch: B, sequence: S, virtualTokens: P, promptRows: P };
      const adapter = g.input(plan.inputNames.softPrompt, 'float32', [P, d]);
      const rows = withPositions(decoder, plan, layout, joinRows(g, { prompt: adapter, text }), () => g.dim(P));
      return { hiddenStates, adapter, layout, rows: blocks(decoder, layout, rows, { first, end, wanted }) };
    }
    case 'prefix': {
      const layout: RowLayout = { batch: B, sequence: S, virtualTokens: P, promptRows: 0 };
      if (first === end) {
        const rows = withPositions(decoder, plan, layout, text, () => g.input('numVirtualTokens', 'int64', []));
        return { hiddenStates, layout, rows: blocks(decoder, layout, rows, { first, end, wanted }) };
      }
      const { numKvHeads, headDim } = spec.attention;
      const adapter = g.input('prefix', 'float32', [end - first, 2, P, numKvHeads, headDim]);
      const rows = withPositions(decoder, plan, layout, text, () => g.dim(P));
      return { hiddenStates, adapter, layout, rows: blocks(decoder, layout, rows, { first, end, wanted, prefix: adapter }) };
    }
  }
}

/** All rows, apart: hidden states [B, S, d] and, with a soft prompt, its rows [P, d]. */
export function partedRows({ g, spec }: DecoderGraph, { rows, layout }: Span): SplitRows {
  const { prompt, text } = splitRows(g, rows, layout);
  const hiddenStates = g.reshape(text, [layout.batch, layout.sequence, spec.hiddenSize]); // [B, S, d]
  return prompt === undefined ? { text: hiddenStates } : { prompt, text: hiddenStates };
}

function withPositions(decoder: DecoderGraph, plan: SpanPlan, layout: RowLayout, rows: Value, virtualTokens: () => Value): Value {
  if (!plan.addPositions) return rows;
  return addLearnedPositions(decoder, rows, rowPositions(decoder.g, layout, virtualTokens()));
}
