/** A process of the section `attention`: runs one layer's attention and prints what it took. */
import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { packedFeeds } from '../src/artifacts/row-feeds.js';
import { dims } from '../src/compiler/graphs/span.js';
import { DecoderGraph } from '../src/compiler/models/decoder-weights.js';
import { attendFused } from '../src/compiler/models/fused-attention.js';
import { describeModel } from '../src/compiler/models/registry.js';
import type { RowLayout } from '../src/compiler/models/rows.js';
import { attendText } from '../src/compiler/models/text-attention.js';
import { encodeModel } from '../src/compiler/onnx/encoder.js';
import { f32 } from '../src/tensor/tensor.js';

/** Heads of 64 values. */
export interface AttentionSize {
  readonly batch: number;
  readonly sequence: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly window: number | null;
}

/** What it took. */
export interface AttentionRun {
  /** Least of some runs. */
  readonly cpuMs: number;
  /** Of the first run. */
  readonly peakMiB: number;
}

const HEAD_DIM = 64;
const RUNS = 3;

const [form, given] = process.argv.slice(2) as [string, string];
const size = JSON.parse(given) as AttentionSize;
const session = await InferenceSession.create(encodeModel(graph()), { intraOpNumThreads: 1, logSeverityLevel: 3 });
const feeds = inputs();
const before = memoryMiB('VmRSS');
await session.run(feeds);
const peakMiB = memoryMiB('VmHWM') - before;
const times: number[] = [];
for (let run = 0; run < RUNS; run++) {
  const from = process.cpuUsage();
  await session.run(feeds);
  const { user, system } = process.cpuUsage(from);
  times.push((user + system) / 1000);
}
process.stdout.write(JSON.stringify({ cpuMs: Math.min(...times), peakMiB } satisfies AttentionRun));

function graph(): ReturnType<DecoderGraph['g']['build']> {
  const { numHeads, numKvHeads, window } = size;
  const config = { model_type: 'llama', vocab_size: 8, hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, head_dim: HEAD_DIM };
  const model = describeModel(JSON.stringify({ ...config, num_attention_heads: numHeads, num_key_value_heads: numKvHeads }));
  const decoder = new DecoderGraph(model);
  const { g } = decoder;
  const { B, S, R } = dims;
  const packing = { rows: R, rowOfSlot: g.input('rowOfSlot', 'int64', [B, S]), slotOfRow: g.input('slotOfRow', 'int64', [R]) };
  const layout: RowLayout = { batch: B, sequence: S, virtualTokens: 0, promptRows: 0, packing };
  const [query, key, value] = (['query', 'key', 'value'] as const).map((name) => g.input(name, 'float32', [R, widthOf(name)]));
  const attend = form === 'fused' ? attendFused : attendText;
  return g.build({ outputs: { output: attend(decoder, layout, window, query!, key!, value!, undefined) } });
}

function inputs(): Record<string, Tensor> {
  const { batch, sequence } = size;
  const rows = batch * sequence;
  const sequences = { lengths: Array<number>(batch).fill(sequence), sequence };
  const { rowOfSlot, slotOfRow } = packedFeeds(f32([rows, 1], new Float32Array(rows)), sequences);
  const random = (name: 'query' | 'key' | 'value'): Tensor => {
    const data = Float32Array.from({ length: rows * widthOf(name) }, (_, i) => Math.sin(i * 1.7));
    return new Tensor('float32', data, [rows, widthOf(name)]);
  };
  const indices = Object.entries({ rowOfSlot: rowOfSlot!, slotOfRow: slotOfRow! });
  return {
    ...Object.fromEntries(indices.map(([name, { data, shape }]) => [name, new Tensor('int64', data as BigInt64Array, [...shape])])),
    ...Object.fromEntries((['query', 'key', 'value'] as const).map((name) => [name, random(name)])),
  };
}

function widthOf(name: 'query' | 'key' | 'value'): number {
  return HEAD_DIM * (name === 'query' ? size.numHeads : size.numKvHeads);
}

function memoryMiB(key: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024;
}
