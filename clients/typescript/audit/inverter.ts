/**
 * What rows of each token look like, learned from texts that the vendor sends itself. They go
 * through the same client code, with the same defences and a secret of its own.
 */
import { seeded, shuffle } from '../../../src/tensor/random.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import type { VendorView } from './attacker.js';
import { Discriminant, type LikelyToken } from './discriminant.js';
import { tooLarge } from './skip-reasons.js';
import type { SearchOptions } from './table-search.js';

/** Rows that a token is guessed from: its own, and those beside it. */
const BESIDE = [0, -1, 1];
/** Dims of all of them that are looked at. */
const MOST_FEATURES = 1024;
/** Times that each token of the vocabulary comes, in one of every so many places of a text. */
const PASSES = 2;
const APART = 4;
const MOST_CHANGED = 2 ** 17;
/** A token that the texts never have counts as this many. */
const UNSEEN = 0.1;

/** Guesses tokens of rows. */
export interface Inverter {
  /** The likeliest tokens of a row of rows [S, d], likeliest first. */
  likeliest(rows: Tensor<'float32'>, place: number, count: number): readonly LikelyToken[];
}

/** Of each audit: several attackers use it. */
const learned = new WeakMap<VendorView['others'], Promise<Inverter>>();

/** Why none can be learned; undefined: it can. */
export function inverterMissing({ bundle, others }: VendorView): string | undefined {
  const large = tooLarge('the means of its tokens', bundle, dimsOf(bundle.dims.hiddenSize).length * BESIDE.length);
  if (large !== undefined) return large;
  return others.length > 0 ? undefined : 'the data has no records beside the audited ones to learn from; lower --max-records';
}

/** The audit's inverter, learned once. @throws CutlayerError of the client's graphs */
export function inverterOf(view: VendorView, options: SearchOptions): Promise<Inverter> {
  const known = learned.get(view.others) ?? learn(view, options);
  learned.set(view.others, known);
  return known;
}

async function learn(view: VendorView, { signal, onProgress }: SearchOptions): Promise<Inverter> {
  const { bundle, others } = view;
  const texts = [...others, ...changedTexts(view)];
  const dims = dimsOf(bundle.dims.hiddenSize);
  const features = new Discriminant(bundle.vocabSize, dims.length * BESIDE.length);
  const seen = new Float64Array(bundle.vocabSize).fill(UNSEEN);
  for (const tokens of others) for (const token of tokens) seen[token] = seen[token]! + 1;
  for (const [at, tokens] of texts.entries()) {
    const rows = await view.imitate(tokens, signal);
    for (const [place, token] of tokens.entries()) features.add(token, featuresOf(rows, place, dims));
    onProgress?.(at + 1, texts.length);
  }
  const classifier = await features.fit(seen.map(Math.log), signal);
  return { likeliest: (rows, place, count) => classifier.likeliest(featuresOf(rows, place, dims), count) };
}

/** The texts with other tokens in some of their places, until each of the vocabulary has come. */
function changedTexts({ bundle: { vocabSize }, others, seed }: VendorView): readonly (readonly number[])[] {
  const texts: number[][] = [];
  const passes = Math.max(1, Math.min(PASSES, Math.floor(MOST_CHANGED / vocabSize)));
  for (let pass = 0; pass < passes; pass++) {
    const tokens = Array.from({ length: vocabSize }, (_, token) => token);
    shuffle(tokens, seeded(seed, pass));
    while (tokens.length > 0) {
      const text = others[texts.length % others.length]!;
      const first = texts.length % Math.min(APART, text.length);
      texts.push(text.map((token, at) => (at % APART === first ? (tokens.pop() ?? token) : token)));
    }
  }
  return texts;
}

/** Dims of a row at even distances; all where there are not too many. */
function dimsOf(hiddenSize: number): readonly number[] {
  const count = Math.min(Math.floor(MOST_FEATURES / BESIDE.length), hiddenSize);
  return Array.from({ length: count }, (_, at) => Math.floor((at * hiddenSize) / count));
}

/** @param rows [S, d] */
function featuresOf({ shape, data }: Tensor<'float32'>, place: number, dims: readonly number[]): Float32Array {
  const [count, d] = shape as [number, number];
  const values = new Float32Array(dims.length * BESIDE.length);
  for (const [which, beside] of BESIDE.entries()) {
    const row = place + beside;
    if (row < 0 || row >= count) continue;
    for (const [at, dim] of dims.entries()) values[which * dims.length + at] = data[row * d + dim]!;
  }
  return values;
}
