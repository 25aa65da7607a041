/**
 * Bottom, backbone and top are one function on different blocks: rows through blocks [first, end).
 * This module makes flat rows of its inputs and names its values once, for forward and vjp.
 */
import type { Cut, SpanKind } from '../../artifacts/manifest.js';
import { blocks } from '../models/decoder.js';
import type { DecoderGraph } from '../models/decoder-weights.js';
import { addLearnedPositions } from '../models/embedding.js';
import { joinRows, type RowLayout, rowPositions, type SplitRows, splitRows } from '../models/rows.js';
import type { DecoderSpec } from '../models/spec.js';
import { multiplyDims, symbol } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';
import { type Spans, spansOf } from './cut.js';

/**
 * The symbolic dims of every graph: batch, sequence, virtual tokens, wanted rows, packed rows, and
 * those of them whose cotangents are wanted.
 */
export const dims = { B: symbol('B'), S: symbol('S'), P: symbol('P'), N: symbol('N'), R: symbol('R'), W: symbol('W') };

/** The names of each part's inputs, and whether its output is the rows at an input `positions`. */
export const parts = {
  bottom: { hiddenStates: 'inputsEmbeds', softPrompt: 'softPrompt', wantedOnly: false },
  backbone: { hiddenStates: 'hiddenStates', softPrompt: 'softPrompt', wantedOnly: true },
  top: { hiddenStates: 'hiddenStates', softPrompt: 'softPromptHidden', wantedOnly: true },
} as const satisfies Readonly<Record<keyof Spans, object>>;

/** Whether learned position embeddings are added first: the bottom of a family that has them. */
export function addsPositions({ position }: DecoderSpec, part: keyof Spans): boolean {
  return part === 'bottom' && position.kind === 'learned';
}

export interface Span {
  /**
   * The inputs to differentiate by, by name: hidden states, [B, S, d] or packed [R, d], and the
   * adapter. That is a soft prompt [P, d] or, for at least one block, a prefix [layers, 2, P,
   * numKvHeads, headDim].
   */
  readonly wrt: Readonly<Record<string, Value>>;
  readonly layout: RowLayout;
  /** The soft prompt's rows and the text's, as they enter: [P + R, d]. */
  readonly entering: Value;
  /** [R, d], or [N, d] where only some are wanted. */
  readonly rows: Value;
}

/**
 * @param packed Whether the hidden states are packed rows [R, d]; `rowOfSlot` [B, S] and
 *   `slotOfRow` [R] then tell where each belongs (row-packing.ts)
 */
export function buildSpan(decoder: DecoderGraph, cut: Cut, part: keyof Spans, kind: SpanKind, packed = false): Span {
  const { g, spec } = decoder;
  const names = parts[part];
  const { B, S, P, R } = dims;
  const [first, end] = spansOf(cut)[part];
  const hiddenStates = g.input(names.hiddenStates, 'float32', packed ? [R, spec.hiddenSize] : [B, S, spec.hiddenSize]);
  const text = packed ? hiddenStates : g.reshape(hiddenStates, [multiplyDims(B, S), spec.hiddenSize]); // [R, d] or [B * S, d]
  const packing = packed
    ? { rows: R, rowOfSlot: g.input('rowOfSlot', 'int64', [B, S]), slotOfRow: g.input('slotOfRow', 'int64', [R]) }
    : undefined;
  const wanted = names.wantedOnly ? g.input('positions', 'int64', [dims.N]) : undefined;
  const layout = { batch: B, sequence: S, virtualTokens: kind === 'none' ? 0 : P, promptRows: kind === 'softPrompt' ? P : 0, packing };
  const prompt = kind === 'softPrompt' ? g.input(names.softPrompt, 'float32', [P, spec.hiddenSize]) : undefined;
  const { numKvHeads, headDim } = spec.attention;
  const prefix = kind === 'prefix' && first < end ? g.input('prefix', 'float32', [end - first, 2, P, numKvHeads, headDim]) : undefined;
  const entering = prompt === undefined ? text : joinRows(g, { prompt, text });
  let rows = entering;
  if (addsPositions(spec, part)) {
    // A prefix of no block is not fed, so P comes from an input of its own.
    const count = kind === 'prefix' && prefix === undefined ? g.input('numVirtualTokens', 'int64', []) : g.dim(layout.virtualTokens);
    rows = addLearnedPositions(decoder, rows, rowPositions(g, layout, count));
  }
  const wrt = { [names.hiddenStates]: hiddenStates, ...(prompt && { [names.softPrompt]: prompt }), ...(prefix && { prefix }) };
  return { wrt, layout, entering, rows: blocks(decoder, layout, rows, { first, end, wanted, prefix }) };
}

/** All rows, split: hidden states, [B, S, d] or packed, and a soft prompt's rows [P, d]. */
export function partedRows({ g, spec }: DecoderGraph, { rows, layout }: Span): SplitRows {
  const { prompt, text } = splitRows(g, rows, layout);
  const hiddenStates = layout.packing === undefined ? g.reshape(text, [layout.batch, layout.sequence, spec.hiddenSize]) : text; // [B, S, d] or [R, d]
  return prompt === undefined ? { text: hiddenStates } : { prompt, text: hiddenStates };
}
