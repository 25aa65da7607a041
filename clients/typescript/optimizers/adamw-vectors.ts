/**
 * AdamW's arithmetic on four floats at a time, as a WebAssembly module. Every operation rounds to
 * float32, so the bits are those of the loop in `adamw-step.ts`.
 */
import type { AdamWFactors, AdamWValues } from './adamw-step.js';
import { type Code, instructions as i, PAGE_BYTES, wasmModule } from './wasm-module.js';

// Node has it; the type libraries for Node leave it out.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

const places = ['parameter', 'gradient', 'expAvg', 'expAvgSq'] as const satisfies readonly (keyof AdamWValues)[];
const factors = [
  'decay',
  'blend',
  'beta2',
  'square',
  'stepSize',
  'correction',
  'epsilon',
] as const satisfies readonly (keyof AdamWFactors)[];

/** Floats of each place in the module's memory: all four stay in a core's cache. */
const CHUNK = 8_192;
const CHUNK_BYTES = 4 * CHUNK;

interface Kernel {
  /** Steps the first floats of every place. @param bytes of one place, a multiple of 16 */
  run(bytes: number, ...factors: readonly number[]): void;
  readonly memory: Readonly<Record<keyof AdamWValues, Float32Array>>;
}

let made: Kernel | undefined;

/** As `stepAdamW`. */
export function stepAdamWByVectors(values: AdamWValues, numbers: AdamWFactors, instead?: (parameter: Float32Array) => void): void {
  made ??= makeKernel();
  const { run, memory } = made;
  const given = factors.map((name) => numbers[name]);
  const { length } = values.parameter;
  for (let first = 0; first < length; first += CHUNK) {
    const count = Math.min(CHUNK, length - first);
    for (const place of places) memory[place].set(values[place].subarray(first, first + count));
    // The floats that fill up the last four are of another chunk, and go nowhere.
    run(4 * Math.ceil(count / 4) * 4, ...given);
    if (instead !== undefined) instead(memory.parameter.subarray(0, count));
    else for (const place of places) if (place !== 'gradient') values[place].set(memory[place].subarray(0, count), first);
  }
}

function makeKernel(): Kernel {
  const module = new WebAssembly.Module(wasmModule({ params: ['i32', ...factors.map(() => 'f32' as const)], locals, body }, pages));
  // The exports of `wasmModule`.
  const { run, memory } = new WebAssembly.Instance(module).exports as {
    readonly run: Kernel['run'];
    readonly memory: { readonly buffer: ArrayBuffer };
  };
  const views = places.map((place, at) => [place, new Float32Array(memory.buffer, at * CHUNK_BYTES, CHUNK)]);
  return { run, memory: Object.fromEntries(views) as Kernel['memory'] };
}

const pages = (places.length * CHUNK_BYTES) / PAGE_BYTES;
/** The address within a place, then the vectors at it. */
const locals = ['i32', 'v128', 'v128', 'v128'] as const;
const [BYTES, FIRST_FACTOR, AT] = [0, 1, 1 + factors.length];
const [GRADIENT, AVERAGE, SQUARES] = [AT + 1, AT + 2, AT + 3];

const factor = (name: (typeof factors)[number]): Code => [...i.localGet(FIRST_FACTOR + factors.indexOf(name)), ...i.f32x4Splat];
const load = (place: (typeof places)[number]): Code => [...i.localGet(AT), ...i.v128Load(places.indexOf(place) * CHUNK_BYTES)];
const store = (place: (typeof places)[number], value: Code): Code => [
  ...i.localGet(AT),
  ...value,
  ...i.v128Store(places.indexOf(place) * CHUNK_BYTES),
];
const get = i.localGet;

const body = i.doWhile([
  ...[...load('gradient'), ...i.localSet(GRADIENT)],
  // m + blend (g - m)
  ...[...load('expAvg'), ...i.localSet(AVERAGE), ...get(AVERAGE)],
  ...[...factor('blend'), ...get(GRADIENT), ...get(AVERAGE), ...i.f32x4Sub, ...i.f32x4Mul, ...i.f32x4Add, ...i.localSet(AVERAGE)],
  ...store('expAvg', get(AVERAGE)),
  // beta2 v + square g g
  ...[...load('expAvgSq'), ...factor('beta2'), ...i.f32x4Mul],
  ...[...get(GRADIENT), ...get(GRADIENT), ...i.f32x4Mul, ...factor('square'), ...i.f32x4Mul, ...i.f32x4Add, ...i.localSet(SQUARES)],
  ...store('expAvgSq', get(SQUARES)),
  // decay p + stepSize m / (sqrt(v) / correction + epsilon)
  ...store('parameter', [
    ...[...load('parameter'), ...factor('decay'), ...i.f32x4Mul],
    ...[...factor('stepSize'), ...get(AVERAGE)],
    ...[...get(SQUARES), ...i.f32x4Sqrt, ...factor('correction'), ...i.f32x4Div, ...factor('epsilon'), ...i.f32x4Add],
    ...[...i.f32x4Div, ...i.f32x4Mul, ...i.f32x4Add],
  ]),
  ...[...get(AT), ...i.i32Const(16), ...i.i32Add, ...i.localSet(AT)],
  ...[...get(AT), ...get(BYTES), ...i.i32LessThan],
]);
