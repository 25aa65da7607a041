/**
 * A decoder of pure arithmetic. A row's output depends on its position, on itself and on all rows
 * before it in its lane, in their order: a wrong lane, length or order shows. It checks what
 * sessions owe a decoder, and remembers what it was asked.
 */
import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import type { Decoder, Lane, LaneRows } from '../../src/gateway/decode/decoder.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';

/** One run, as lane ids with the numbers of rows. */
export type Run = readonly (readonly [lane: number, from: number, rows: number])[];

/** The decoder, and what a test sees of it. */
export interface ArithmeticDecoder extends Decoder {
  readonly runs: Run[];
  /** Lanes that are allocated and not released. */
  readonly lanes: ReadonlySet<number>;
  /** Makes runs wait until `open` is called; it lets `count` of them run, or all. */
  hold(): {
    open(count?: number): void;
    /** Resolves when a run waits. */
    reached(): Promise<void>;
  };
  /** The next run fails with this. */
  failWith(error: unknown): void;
}

/** Bytes of a row. */
export const ROW_BYTES = 100;

/**
 * The output of the last of these rows [n, d] in a lane alone; a prefix counts as one row each
 * token.
 */
export function outputAfter(rows: readonly Float32Array[]): Float32Array {
  const width = rows[0]!.length;
  const state = new Float32Array(width);
  rows.forEach((row, position) => {
    for (let i = 0; i < width; i++) state[i] = Math.fround(Math.fround(state[i]! * 0.5) + Math.fround(row[i]! * ((position % 7) + 1)));
  });
  return state;
}

/** @param maxRows of the longest span @param longRows with the rope of long sequences */
export function arithmeticDecoder(maxRows = 4096, longRows = 0): ArithmeticDecoder {
  const rowsOf = new Map<number, Float32Array[]>();
  const runs: Run[] = [];
  let ids = 0;
  let passes = Number.POSITIVE_INFINITY;
  let wake: (() => void)[] = [];
  let failure: unknown;
  const lane = ({ id }: Lane): Float32Array[] => {
    const rows = rowsOf.get(id);
    assert.ok(rows !== undefined, `lane ${id} is not allocated`);
    return rows;
  };
  const append = ({ lane: target, from, rows }: LaneRows): Tensor<'float32'> => {
    const [count, width] = rows.shape as [number, number];
    const held = lane(target);
    assert.ok(from <= held.length, `rows from ${from} of ${held.length}`);
    assert.ok(from + count <= target.capacity, `rows to ${from + count} of ${target.capacity}`);
    held.length = from;
    const outputs = new Float32Array(count * width);
    for (let row = 0; row < count; row++) {
      held.push(rows.data.slice(row * width, (row + 1) * width));
      outputs.set(outputAfter(held), row * width);
    }
    return f32([count, width], outputs);
  };
  return {
    maxRows,
    longRows,
    bytesPerRow: ROW_BYTES,
    runs,
    get lanes() {
      return new Set(rowsOf.keys());
    },
    laneBytes: (rows) => rows * ROW_BYTES,
    async allocate(rows) {
      const id = ids++;
      rowsOf.set(id, []);
      return { id, capacity: rows };
    },
    async append(batch) {
      assert.ok(batch.length === 1 || batch.every(({ rows }) => rows.shape[0] === 1), 'several lanes have one row each');
      assert.equal(new Set(batch.map((one) => one.lane.id)).size, batch.length, 'each lane is there once');
      while (passes <= 0) await new Promise<void>((resolve) => wake.push(resolve));
      passes--;
      runs.push(batch.map(({ lane: { id }, from, rows }) => [id, from, rows.shape[0]!] as const));
      if (failure !== undefined) {
        const thrown = failure;
        failure = undefined;
        throw thrown;
      }
      return batch.map(append);
    },
    async writePrefix(target, { shape, data }) {
      const held = lane(target);
      assert.equal(held.length, 0);
      for (let token = 0; token < shape[2]!; token++) held.push(Float32Array.of(data[token]!));
    },
    async copy(from, to, rows, at = 0) {
      const [source, target] = [lane(from), lane(to)];
      assert.ok(rows <= source.length && at <= target.length, `${rows} rows of ${source.length}, to ${at} of ${target.length}`);
      target.length = at;
      target.push(...source.slice(0, rows));
    },
    async keep(of, from, rows) {
      const held = lane(of);
      assert.ok(from + rows <= held.length, `rows to ${from + rows} of ${held.length}`);
      rowsOf.set(ids, held.slice(from, from + rows));
      return { id: ids++, capacity: rows };
    },
    async release(target) {
      lane(target);
      rowsOf.delete(target.id);
    },
    close: async () => undefined,
    hold() {
      passes = 0;
      return {
        open(count = Number.POSITIVE_INFINITY) {
          passes += count;
          const waiting = wake;
          wake = [];
          for (const one of waiting) one();
        },
        async reached() {
          while (wake.length === 0) await setTimeout(1);
        },
      };
    },
    failWith(error) {
      failure = error;
    },
  };
}
