/**
 * One sequence in the blocks that the client holds, for decoding: their keys and values stay here
 * as the backbone's stay at the gateway. Without blocks, rows pass unchanged.
 */
import { CutlayerError } from '../../../src/errors.js';
import type { Decoder, GivenWeights, Lane } from '../../../src/runtime/decode/lane-decoder.js';
import { allFinite } from '../../../src/tensor/finite.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { StepParts } from '../adapters/adapter.js';
import type { ClientBundle, ClientSpan } from './client-bundle.js';
import { layersOf } from './split-step.js';

type Floats = Tensor<'float32'>;

/** The lane of one span. */
interface SpanLane {
  readonly span: ClientSpan;
  readonly decoder: Decoder;
  readonly lane: Lane;
  readonly weights: GivenWeights | undefined;
}

/** Room for one sequence. */
export interface HeldRoom {
  /** Most rows of the sequence, virtual ones among them. */
  readonly rows: number;
  /** Its rows have the rope of long sequences. */
  readonly longRope: boolean;
}

export class HeldBlocks {
  readonly #lanes: readonly SpanLane[];
  readonly #room: HeldRoom;

  private constructor(lanes: readonly SpanLane[], room: HeldRoom) {
    this.#lanes = lanes;
    this.#room = room;
  }

  /**
   * Makes room for a sequence, and puts an adapter's prefix at its start.
   * @throws CutlayerError LIMIT_EXCEEDED, OUT_OF_MEMORY, SESSION_EVICTED, INVALID_ARTIFACT,
   *   UNAVAILABLE
   */
  static async open(bundle: ClientBundle, { prefix, blockWeights }: StepParts, room: HeldRoom): Promise<HeldBlocks> {
    const { bottom, backbone, top } = bundle.dims;
    const first = { bottom: 0, top: bottom + backbone } as const;
    const counts = { bottom, top } as const;
    const allocate = async (span: ClientSpan): Promise<SpanLane> => {
      const trained = bundle.holdsSome(span, blockWeights);
      // A bundle's weights are float32.
      const weights = trained ? ((await bundle.spanWeights(span, blockWeights!)) as GivenWeights) : undefined;
      const decoder = await bundle.decoders.decoder(span, trained ? 'trained' : 'frozen');
      return { span, decoder, lane: await decoder.allocate(room.rows, { weights, longRope: room.longRope }), weights };
    };
    const held = (['bottom', 'top'] as const).filter((span) => counts[span] > 0);
    return HeldBlocks.#of(room, held, allocate, async ({ decoder, lane }, span) => {
      if (prefix !== undefined) await decoder.writePrefix(lane, layersOf(prefix, first[span], counts[span]));
    });
  }

  /** Whether there are blocks above the backbone: they need its output at every row. */
  get hasTop(): boolean {
    return this.#find('top') !== undefined;
  }

  /** Whether the client holds any block. */
  get any(): boolean {
    return this.#lanes.length > 0;
  }

  /**
   * Rows [n, hiddenSize] through the bottom; those from `from` on that it has are replaced.
   * @throws CutlayerError SESSION_EVICTED (the keys and values are lost), NON_FINITE, CANCELLED
   */
  below(rows: Floats, from: number, signal?: AbortSignal): Promise<Floats> {
    return this.#append('bottom', rows, from, signal);
  }

  /** The backbone's output rows [n, hiddenSize] through the top. @throws as {@link below} */
  above(rows: Floats, from: number, signal?: AbortSignal): Promise<Floats> {
    return this.#append('top', rows, from, signal);
  }

  /** A copy of the first rows that goes on by itself. @throws CutlayerError as {@link open} */
  fork(rows: number): Promise<HeldBlocks> {
    const { rows: most, longRope } = this.#room;
    return HeldBlocks.#of(
      this.#room,
      this.#lanes,
      async (from) => ({ ...from, lane: await from.decoder.allocate(most, { weights: from.weights, longRope }) }),
      ({ decoder, lane }, from) => decoder.copy(from.lane, lane, rows),
    );
  }

  /** Gives the memory back. */
  close(): void {
    // A lane of a thread that has ended is gone already.
    for (const { decoder, lane } of this.#lanes) decoder.release(lane).catch(() => undefined);
  }

  /** Makes the lanes and fills them; where one cannot be, there are none. */
  static async #of<From>(
    room: HeldRoom,
    of: readonly From[],
    allocate: (from: From) => Promise<SpanLane>,
    fill: (lane: SpanLane, from: From) => Promise<void>,
  ): Promise<HeldBlocks> {
    const lanes: SpanLane[] = [];
    try {
      for (const from of of) {
        const lane = await allocate(from);
        lanes.push(lane);
        await fill(lane, from);
      }
      return new HeldBlocks(lanes, room);
    } catch (caught) {
      new HeldBlocks(lanes, room).close();
      throw lost(caught);
    }
  }

  #find(span: ClientSpan): SpanLane | undefined {
    return this.#lanes.find((lane) => lane.span === span);
  }

  async #append(span: ClientSpan, rows: Floats, from: number, signal?: AbortSignal): Promise<Floats> {
    const found = this.#find(span);
    if (found === undefined) return rows;
    const [output] = await found.decoder.append([{ lane: found.lane, from, rows }], signal).catch((caught: unknown) => {
      throw lost(caught);
    });
    if (allFinite(output!.data)) return output!;
    throw new CutlayerError(
      'NON_FINITE',
      `decode: the blocks of the client's ${span} computed NaN or infinity; check the adapter's values`,
    );
  }
}

/** Keys and values of a thread that has ended are lost, as those of a session at the gateway. */
function lost(caught: unknown): CutlayerError {
  const error = CutlayerError.from(caught);
  if (error.code !== 'WORKER_CRASHED') return error;
  return new CutlayerError('SESSION_EVICTED', "decode: the thread with the keys and values of the client's blocks ended", { cause: error });
}
