/** A process of the section `attention`: runs one layer's attention and prints what it took. */
import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { packedFeeds } from '../src/artifacts/row-feeds.js';
import { partitionStep } from '../src/compiler/graphs/graph-pair.js';
import { dims } from '../src/compiler/graphs/span.js';
import { DecoderGraph } from '../src/compiler/models/decoder-weights.js';
import { attendFused } from '../src/compiler/models/fused-attention.js';
import { optimizations } from '../src/compiler/models/optimizations.js';
import { describeModel } from '../src/compiler/models/registry.js';
import type { RowLayout } from '../src/compiler/models/rows.js';
import { attendText } from '../src/compiler/models/text-attention.js';
import { encodeModel } from '../src/compiler/onnx/encoder.js';
import type { Graph } from '../src/compiler/onnx/graph.js';
import { f32 } from '../src/tensor/tensor.js';

/** Heads of 64 values. */
export interface AttentionSize {
  readonly batch: number;
  readonly sequence: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly window: number | null;
}

/** The kernel, a step's forward alone, a step, and one that masks keys before the window. */
export type AttentionForm = 'fused' | 'plain' | 'step' | 'masked step';

/** What it took. */
export interface AttentionRun {
  /** Least of some runs. */
  readonly cpuMs: number;
  /** Of the first run. */
  readonly peakMiB: number;
}

const HEAD_DIM = 64;
const RUNS = 3;

const [form, given] = process.argv.slice(2) as [AttentionForm, string];
const size = JSON.parse(given) as AttentionSize;
const sessions: InferenceSession[] = [];
for (const each of graphs()) {
  sessions.push(await InferenceSession.create(encodeModel(each), { intraOpNumThreads: 1, logSeverityLevel: 3 }));
}
const feeds = inputs();
const before = memoryMiB('VmRSS');
await runAll();
const peakMiB = memoryMiB('VmHWM') - before;
const times: number[] = [];
for (let run = 0; run < RUNS; run++) {
  const from = process.cpuUsage();
  await runAll();
  const { user, system } = process.cpuUsage(from);
  times.push((user + system) / 1000);
}
process.stdout.write(JSON.stringify({ cpuMs: Math.min(...times), peakMiB } satisfies AttentionRun));

/** A forward, or a step's forward and then its vjp, which takes what the forward gives. */
async function runAll(): Promise<void> {
  let known = feeds;
  for (const session of sessions) {
    known = { ...known, ...(await session.run(Object.fromEntries(session.inputNames.map((name) => [name, known[name]!])))) };
  }
}

function graphs(): readonly Graph[] {
  const { numHeads, numKvHeads, window } = size;
  const config = { model_type: 'llama', vocab_size: 8, hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, head_dim: HEAD_DIM };
  const model = describeModel(JSON.stringify({ ...config, num_attention_heads: numHeads, num_key_value_heads: numKvHeads }));
  const decoder = new DecoderGraph(model, 'frozen', form === 'masked step' ? { ...optimizations, windowParts: false } : optimizations);
  const { g } = decoder;
  const { B, S, R } = dims;
  const packing = { rows: R, rowOfSlot: g.input('rowOfSlot', 'int64', [B, S]), slotOfRow: g.input('slotOfRow', 'int64', [R]) };
  const layout: RowLayout = { batch: B, sequence: S, virtualTokens: 0, promptRows: 0, packing };
  const [query, key, value] = (['query', 'key', 'value'] as const).map((name) => g.input(name, 'float32', [R, widthOf(name)]));
  const attend = form === 'fused' ? attendFused : attendText;
  const output = attend(decoder, layout, window, query!, key!, value!, undefined);
  if (form === 'fused' || form === 'plain') return [g.build({ outputs: { output } })];
  const { forward, vjp } = partitionStep(g, output, { query, key, value });
  return [forward, vjp];
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
    cotangent: random('query'),
  };
}

function widthOf(name: 'query' | 'key' | 'value'): number {
  return HEAD_DIM * (name === 'query' ? size.numHeads : size.numKvHeads);
}

function memoryMiB(key: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024;
}
