/**
 * How the graphs of held blocks take the rows of a batch. Graphs with an input `rowOfSlot` take
 * packed rows, so padding costs nothing; those packed before take padding too. Callers have padded
 * rows either way, with zeros where padding is.
 */
import type { SpanGraphs } from '../../../src/artifacts/manifest.js';
import { packedFeeds, takesPackedRows, tokenRows, wholeSequences } from '../../../src/artifacts/row-feeds.js';
import { packedStarts, packRows, paddedStarts, padRows, renumbered } from '../../../src/protocol/wire/packed-rows.js';
import { zeros } from '../../../src/tensor/floats.js';
import { packedRows } from '../../../src/tensor/sequences.js';
import { f32, type Tensor, tensor } from '../../../src/tensor/tensor.js';
import type { Feeds, FloatFeeds } from '../adapters/adapter.js';
import type { ClientSpan } from './block-decoders.js';

type Floats = Tensor<'float32'>;

/** A graph's inputs and outputs, from and to those of padded rows. */
export interface SpanRows {
  readonly feeds: Feeds;
  outputs(found: FloatFeeds): FloatFeeds;
}

/** The name of a span's rows as they enter. */
const entering = { bottom: 'inputsEmbeds', top: 'hiddenStates' } as const satisfies Record<ClientSpan, string>;

/**
 * @param graphs of the span; a vjp takes rows as its forward does
 * @param padded feeds of padded rows [batch, sequence, d]
 * @param lengths real tokens of each sequence; absent: padding counts as tokens
 */
export function spanRows(span: ClientSpan, { forward }: SpanGraphs, padded: Feeds, lengths?: readonly number[]): SpanRows {
  if (!takesPackedRows(forward.inputs)) return { feeds: padded, outputs: (found) => found };
  const name = entering[span];
  const rows = padded[name] as Floats;
  const [batch, sequence, d] = rows.shape as readonly [number, number, number];
  const sequences = lengths === undefined ? wholeSequences(rows.shape) : { lengths, sequence };
  const hasPadding = packedRows(sequences.lengths) < batch * sequence;
  const { hiddenStates, ...places } = packedFeeds(hasPadding ? packRows(rows, sequences) : rows, sequences);
  const { positions, hiddenStatesCotangent } = padded;
  const lead = padded.softPromptHidden?.shape[0] ?? 0;
  return {
    feeds: {
      ...padded,
      ...places,
      [name]: hiddenStates!,
      ...(positions !== undefined &&
        hasPadding && { positions: packedPositions(positions as Tensor<'int64'>, lead, sequences.lengths, sequence) }),
      ...(hiddenStatesCotangent !== undefined && { hiddenStatesCotangent: packedCotangent(hiddenStatesCotangent as Floats) }),
    },
    outputs: (found) => {
      const crossing = ['hiddenStates', `${name}Cotangent`].filter((output) => found[output] !== undefined);
      return { ...found, ...Object.fromEntries(crossing.map((output) => [output, paddedAgain(found[output]!)])) };
    },
  };

  /** With a row of zeros for padding, where there is some. */
  function packedCotangent(cotangent: Floats): Floats {
    if (!hasPadding) return f32([batch * sequence, d], cotangent.data);
    const all = zeros(hiddenStates!.shape);
    (all.data as Float32Array).set(packRows(cotangent, sequences).data);
    return all;
  }

  function paddedAgain(packed: Floats): Floats {
    return hasPadding ? padRows(tokenRows(packed, sequences), sequences) : f32(rows.shape, packed.data);
  }
}

/** Numbers of packed rows, from those of padded ones. @param lead rows of a soft prompt */
function packedPositions({ shape, data }: Tensor<'int64'>, lead: number, lengths: readonly number[], sequence: number): Tensor<'int64'> {
  const from = paddedStarts(lengths.length, sequence);
  return tensor(
    'int64',
    shape,
    BigInt64Array.from(renumbered(Array.from(data, Number), { lead, from, to: packedStarts(lengths) }), BigInt),
  );
}
