/**
 * Bottom, backbone or top for decoding: rows that follow rows whose keys and values are kept. One
 * graph serves chunks of a prompt, single tokens and drafts, of several lanes at once. All but
 * attention works on the flat rows of all lanes; each lane attends to its own memory.
 */
import type { Cut } from '../../artifacts/manifest.js';
import { project } from '../models/attention.js';
import { block, ropeOfBlock } from '../models/decoder.js';
import { DecoderGraph } from '../models/decoder-weights.js';
import { addLearnedPositions } from '../models/embedding.js';
import { attendLane, type LaneRows, laneShapes } from '../models/lane-attention.js';
import type { ModelDescription } from '../models/registry.js';
import { type Rotation, rotation } from '../models/rope.js';
import type { DecoderSpec } from '../models/spec.js';
import { addDims, type Dim, symbol } from '../onnx/dim.js';
import type { Graph } from '../onnx/graph.js';
import type { Value } from '../onnx/value.js';
import type { SpanWeights } from './client-graphs.js';
import { type Spans, spansOf } from './cut.js';
import { addsPositions } from './span.js';

/** The blocks that decode, and on how many lanes. */
export interface DecodeSpan {
  readonly part: keyof Spans;
  /** Lanes that one run serves. */
  readonly lanes: number;
  /** `inputs`: the blocks' weights are inputs under their names. Default `frozen`. */
  readonly weights?: SpanWeights;
}

/**
 * A part over the rows of its lanes. Inputs: `hiddenStates` [R,d], lane after lane; those of a
 * bottom are without learned positions. Of lane b: `positions.b` int64 [S_b]; R is the sum of all
 * S. `padding.b` int64 [0] or [1], of 0: a row of padding where the lane has fewer than two rows of
 * queries. `ropeLength.b` int64 [S_b], where {@link decodeRows} gives long ones: the length by
 * which the lane's rope is chosen, the same for all rows of a sequence. Of block l, counted in the
 * part, and lane b: `keys.l.b` and `values.l.b` [T_b, …], {@link laneShapes}. Outputs: `output`
 * [R,d]; `newKeys.l.b` and `newValues.l.b` [S_b, numKvHeads * headDim], to be written into that
 * memory.
 */
export function compileDecode(model: ModelDescription, cut: Cut, { part, lanes: count, weights }: DecodeSpan): Graph {
  const decoder = new DecoderGraph(model, weights);
  const { g, spec } = decoder;
  const [first, end] = spansOf(cut)[part];
  const lanes = Array.from({ length: count }, (_, b): LaneRows => {
    const rows = symbol(`S${b}`);
    return {
      rows,
      keys: symbol(`T${b}`),
      positions: g.input(`positions.${b}`, 'int64', [rows]),
      padding: g.input(`padding.${b}`, 'int64', [symbol(`P${b}`)]),
    };
  });
  const hiddenStates = g.input('hiddenStates', 'float32', [addDims(...lanes.map(({ rows }) => rows)), spec.hiddenSize]);
  const positions = g.concat(
    lanes.map((lane) => lane.positions),
    0,
  ); // [R]
  const ropeLength =
    decodeRows(spec).long === undefined
      ? 1
      : g.concat(
          lanes.map(({ rows }, b) => g.input(`ropeLength.${b}`, 'int64', [rows])),
          0,
        ); // [R]
  const outputs: Record<string, Value> = {};
  let x = addsPositions(spec, part) ? addLearnedPositions(decoder, hiddenStates, positions) : hiddenStates;
  for (let layer = first; layer < end; layer++)
    x = block(decoder, layer, x, (normed) =>
      attendAll(decoder, lanes, rotationOf(decoder, layer, positions, ropeLength), layer, layer - first, normed, outputs),
    );
  return g.build({ outputs: { output: x, ...outputs } });
}

/** The longest spans of rows that can be decoded. */
export interface DecodeRows {
  /** To where a rope's frequencies begin to depend on the length. */
  readonly short: number;
  /**
   * Of spans that have the frequencies beyond that, from their first row on; absent where there are
   * none that stay. Those of dynamic scaling change with each further row, so keys of before are of
   * no use there.
   */
  readonly long?: number;
}

/** The longest spans, by the model's ropes. */
export function decodeRows({ maxPositions, position }: DecoderSpec): DecodeRows {
  const ropes = position.kind === 'rope' ? [position.rope, ...(position.windowRope === undefined ? [] : [position.windowRope])] : [];
  const end = Math.min(maxPositions, ...ropes.map((rope) => (rope.scaling === 'dynamic' ? rope.trainedPositions : maxPositions)));
  const switches = [...new Set(ropes.flatMap((rope) => (rope.scaling === 'longrope' ? [rope.originalMaxPositions] : [])))]
    .filter((at) => at < end)
    .sort((a, b) => a - b);
  const [first, second = end] = switches;
  return first === undefined ? { short: end } : { short: first, long: second };
}

function rotationOf({ g, spec }: DecoderGraph, layer: number, positions: Value, length: Dim | Value): Rotation | undefined {
  const found = ropeOfBlock(spec, layer);
  return found && rotation(g, found.rope, found.rotaryDim, positions, length);
}

/** Attention of one block, of all lanes' rows. @param x [R, hiddenSize] */
function attendAll(
  decoder: DecoderGraph,
  lanes: readonly LaneRows[],
  rope: Rotation | undefined,
  layer: number,
  at: number,
  x: Value,
  outputs: Record<string, Value>,
): Value {
  const { g, spec } = decoder;
  const { numHeads, numKvHeads, headDim, outputBias, windows } = spec.attention;
  const { query, key, value } = project(decoder, rope, layer, x);
  const shapes = laneShapes(spec.attention);
  const byLane = g.split(
    g.concat([query, key, value], 1),
    lanes.map(({ rows }) => rows),
    0,
  ); // each [S_b, (h + 2 kv) * headDim]
  const attended = lanes.map((lane, b) => {
    const [queries, newKeys, newValues] = g.split(byLane[b]!, [numHeads * headDim, numKvHeads * headDim, numKvHeads * headDim], 1);
    outputs[`newKeys.${at}.${b}`] = newKeys!;
    outputs[`newValues.${at}.${b}`] = newValues!;
    const keys = g.input(`keys.${at}.${b}`, 'float32', [lane.keys, ...shapes.keys]);
    const values = g.input(`values.${at}.${b}`, 'float32', [lane.keys, ...shapes.values]);
    return attendLane(decoder, lane, windows[layer] ?? null, queries!, { keys, values });
  });
  return decoder.linear(g.concat(attended, 0), layer, 'attentionOutput', outputBias);
}
