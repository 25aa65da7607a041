/**
 * Runs the decode graph on lanes. Keys and values of new rows are written in place: the graph's
 * outputs are given memory of the lanes that its inputs read
 * (src/compiler/models/lane-attention.ts).
 */
import { type InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { allFinite } from '../../tensor/finite.js';
import { type BlockTensors, LaneMemory } from './lane-memory.js';
import { type Piece, planRuns } from './plan-runs.js';
import type { DecodeSettings, OutputRows } from './protocol.js';

/** New rows of one lane. */
export interface LaneInput {
  readonly memory: LaneMemory;
  readonly from: number;
  /** The length by which its rope is chosen, where the graph has such an input. */
  readonly ropeLength: number;
  /** [S, hiddenSize] */
  readonly rows: Float32Array;
  /** Those that the graph has as inputs. */
  readonly weights?: Tensors | undefined;
}

type Tensors = Record<string, OrtTensor>;

export class LaneGraph {
  readonly #settings: DecodeSettings;
  readonly #session: InferenceSession;
  /**
   * Fed for lanes without rows in a run: one row of memory, to which one row of padding attends.
   */
  readonly #idle: { readonly read: BlockTensors; readonly written: BlockTensors };

  constructor(settings: DecodeSettings, session: InferenceSession) {
    this.#settings = settings;
    this.#session = session;
    const memory = new LaneMemory(settings, 1);
    this.#idle = { read: memory.read(1), written: memory.written(0, 0) };
  }

  /** Appends rows to lanes, each at most once in a batch. */
  async append(batch: readonly LaneInput[]): Promise<readonly OutputRows[]> {
    const { hiddenSize, lanes } = this.#settings;
    const outputs = batch.map(({ rows }) => new Float32Array(rows.length));
    const counts = batch.map(({ rows }) => rows.length / hiddenSize);
    for (const run of planRuns(counts, lanes)) {
      const pieces = run.map((piece) => inputOf(batch[piece.member]!, piece, hiddenSize));
      const rows = await this.#run(pieces);
      let at = 0;
      for (const { member, start, end } of run) {
        const size = (end - start) * hiddenSize;
        outputs[member]!.set(rows.subarray(at, at + size), start * hiddenSize);
        at += size;
      }
    }
    return outputs.map((rows, member) => {
      const finite = allFinite(rows);
      if (!finite) batch[member]!.memory.clear(batch[member]!.from, counts[member]!);
      return { rows, finite };
    });
  }

  /** One run. @returns the output rows of all lanes, [R, hiddenSize] */
  async #run(inputs: readonly LaneInput[]): Promise<Float32Array> {
    const { hiddenSize, lanes } = this.#settings;
    const all = new Float32Array(inputs.reduce((sum, { rows }) => sum + rows.length, 0));
    let at = 0;
    for (const { rows } of inputs) {
      all.set(rows, at);
      at += rows.length;
    }
    const feeds: Tensors = { ...inputs[0]?.weights, hiddenStates: new OrtTensor('float32', all, [all.length / hiddenSize, hiddenSize]) };
    const fetches: Record<string, OrtTensor | null> = { output: null };
    for (let lane = 0; lane < lanes; lane++) this.#bind(lane, inputs[lane], feeds, fetches);
    // The declared type has no null for a fetch without memory of its own, which the runtime takes.
    const results = await this.#session.run(feeds, fetches as Tensors);
    return results.output!.data as Float32Array; // the graph declares float32
  }

  #bind(lane: number, input: LaneInput | undefined, feeds: Tensors, fetches: Record<string, OrtTensor | null>): void {
    const { hiddenSize, group, keyBlock, hasRopeLength } = this.#settings;
    const count = input === undefined ? 0 : input.rows.length / hiddenSize;
    const from = input?.from ?? 0;
    feeds[`positions.${lane}`] = int64s(count, (at) => from + at);
    if (hasRopeLength) feeds[`ropeLength.${lane}`] = int64s(count, () => input!.ropeLength);
    // One row of one head would be a product of one row, which has other bits.
    feeds[`padding.${lane}`] = int64s(count * group < 2 ? 1 : 0, () => 0);
    const read = input?.memory.read(Math.ceil((from + count) / keyBlock) * keyBlock) ?? this.#idle.read;
    const written = input?.memory.written(from, count) ?? this.#idle.written;
    for (let layer = 0; layer < this.#settings.layers; layer++) {
      feeds[`keys.${layer}.${lane}`] = read.keys[layer]!;
      feeds[`values.${layer}.${lane}`] = read.values[layer]!;
      fetches[`newKeys.${layer}.${lane}`] = written.keys[layer]!;
      fetches[`newValues.${layer}.${lane}`] = written.values[layer]!;
    }
  }
}

function inputOf({ from, rows, ...lane }: LaneInput, { start, end }: Piece, hiddenSize: number): LaneInput {
  return { ...lane, from: from + start, rows: rows.subarray(start * hiddenSize, end * hiddenSize) };
}

const int64s = (count: number, element: (at: number) => number): OrtTensor =>
  new OrtTensor(
    'int64',
    BigInt64Array.from({ length: count }, (_, at) => BigInt(element(at))),
    [count],
  );
