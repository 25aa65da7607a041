/**
 * A decoder without memory of keys and values: a lane keeps its rows, and each append runs the
 * backbone's own forward over all of them. It is slow and exact, and knows no graph for decoding.
 */

import { CutlayerError } from '../../src/errors.js';
import type { Decoder } from '../../src/gateway/decode/decoder.js';
import type { DecoderSource } from '../../src/gateway/decode/open-decoding.js';
import type { BackboneEngine } from '../../src/gateway/engine/engine.js';
import type { AdapterInput, CheckedInputs } from '../../src/gateway/engine/step-inputs.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';

/** What a test sees of it. */
export interface WholeSequenceSource {
  readonly source: (engine: BackboneEngine) => DecoderSource;
  /** Rows of each lane of each run. */
  readonly runs: (readonly number[])[];
  /** Lanes that are allocated and not released. */
  readonly lanes: ReadonlyMap<number, unknown>;
  /** Called before each run, failed ones counted. */
  onRun: (run: number) => void;
}

interface Rows {
  prefix: Tensor<'float32'> | undefined;
  rows: Float32Array[];
}

/** Makes one. @param rowBytes bytes of a row, as sessions count them */
export function wholeSequenceDecoder(rowBytes = 64): WholeSequenceSource {
  const lanes = new Map<number, Rows>();
  const runs: (readonly number[])[] = [];
  let ids = 0;
  let started = 0;
  const made: WholeSequenceSource = {
    runs,
    lanes,
    onRun: () => undefined,
    source: (engine) => {
      const { maxPositions } = engine.artifact.manifest.dims;
      const forward = async ({ prefix, rows }: Rows, wanted: number): Promise<Tensor<'float32'>> => {
        const width = rows[0]!.length;
        const hiddenStates = f32([1, rows.length, width], Float32Array.from(rows.flatMap((row) => [...row])));
        const adapter: AdapterInput =
          prefix === undefined ? { kind: 'none' } : { kind: 'prefix', value: { ...prefix, data: prefix.data.slice() } };
        const positions = BigInt64Array.from({ length: wanted }, (_, at) => BigInt(rows.length - wanted + at));
        // Rows of a session that the service has checked.
        const inputs = { hiddenStates, adapter, positions } as unknown as CheckedInputs;
        return engine.forward({ tenant: 'decoder', stepId: 'none', training: false, inputs });
      };
      const decoder: Decoder = {
        maxRows: maxPositions,
        longRows: 0,
        bytesPerRow: rowBytes,
        laneBytes: (rows) => rows * rowBytes,
        async allocate(rows) {
          lanes.set(ids, { prefix: undefined, rows: [] });
          return { id: ids++, capacity: rows };
        },
        async append(batch) {
          made.onRun(started++);
          runs.push(batch.map(({ rows }) => rows.shape[0]!));
          const outputs: Tensor<'float32'>[] = [];
          for (const { lane, from, rows } of batch) {
            const held = lanes.get(lane.id)!;
            const virtual = held.prefix?.shape[2] ?? 0;
            const [count, width] = rows.shape as [number, number];
            held.rows.length = from - virtual;
            for (let row = 0; row < count; row++) held.rows.push(rows.data.slice(row * width, (row + 1) * width));
            outputs.push(await forward(held, count));
          }
          return outputs;
        },
        async writePrefix(lane, prefix) {
          lanes.get(lane.id)!.prefix = prefix;
        },
        async copy(from, to, rows) {
          const { prefix, rows: held } = lanes.get(from.id)!;
          lanes.set(to.id, { prefix, rows: held.slice(0, rows - (prefix?.shape[2] ?? 0)) });
        },
        keep: () => Promise.reject(new CutlayerError('OUT_OF_MEMORY', 'lane: this decoder keeps no rows for others')),
        async release(lane) {
          lanes.delete(lane.id);
        },
        close: async () => undefined,
      };
      return { maxRows: maxPositions, longRows: 0, maxBatch: 8, open: async () => decoder };
    },
  };
  return made;
}
