/**
 * How much an attacker got right, each figure with a bootstrap interval over records and what blind
 * guessing would get.
 * @see Efron and Tibshirani 1993, "An Introduction to the Bootstrap", sec. 13.3 (percentiles)
 */
import { seeded } from '../../../src/tensor/random.js';
import type { Truth } from './truth.js';

/** A figure of an attacker: a share from 0 to 1. */
export interface Measure {
  readonly metric: string;
  readonly value: number;
  /** The middle 95 % of the draws. */
  readonly low: number;
  readonly high: number;
  /** What a guess without the trace gets. */
  readonly chance: number;
  /** What was judged: tokens, labels, records. */
  readonly count: number;
}

/** One record's part of a share. */
export interface Part {
  readonly right: number;
  readonly of: number;
}

/** What several attackers infer, by the name of its measure. */
export const inferred = {
  tokens: 'tokens recovered',
  entities: 'planted names and numbers',
  labels: 'labels recovered',
} as const;

const DRAWS = 1000;

/** The share of what is right; NaN of nothing. */
export function share(metric: string, parts: readonly Part[], chance: number, seed: number): Measure {
  const ratio = (drawn: (at: number) => number): number => {
    let [right, of] = [0, 0];
    for (let at = 0; at < parts.length; at++) {
      const part = parts[drawn(at)]!;
      right += part.right;
      of += part.of;
    }
    return right / of;
  };
  const random = seeded(seed, parts.length);
  const draws = Float64Array.from({ length: DRAWS }, () => ratio(() => random.integer(parts.length)))
    .filter((value) => !Number.isNaN(value))
    .sort();
  const quantile = (level: number): number => draws[Math.floor(level * (draws.length - 1))] ?? Number.NaN;
  const count = parts.reduce((sum, { of }) => sum + of, 0);
  return { metric, value: ratio((at) => at), low: quantile(0.025), high: quantile(0.975), chance, count };
}

/** Share of the most frequent value: what the best constant guess gets. */
export function constantGuess(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Math.max(0, ...counts.values()) / values.length;
}

/** What a guess of each record's tokens has of tokens and texts that were sent, and of entities. */
export function tokenMeasures(guesses: readonly (readonly number[])[], truth: Truth): readonly Measure[] {
  const { sent, own, planted, text, seed } = truth;
  const ids = sent.map(({ tokenIds }) => [...tokenIds]);
  const [ownIds, ownGuesses] = [ids.slice(0, own), guesses.slice(0, own)];
  const tokens = ownIds.map((wanted, at) => ({
    right: wanted.filter((id, token) => ownGuesses[at]?.[token] === id).length,
    of: wanted.length,
  }));
  const [words, guessed] = [ownIds, ownGuesses].map((list) => list.map((record) => wordsOf(text(record)))) as [string[][], string[][]];
  const rouge = words.map((wanted, at) => ({ right: rougeL(wanted, guessed[at] ?? []), of: 1 }));
  // Without a trace: the text of another record.
  const blind = words.map((wanted, at) => rougeL(wanted, words[(at + 1) % words.length]!));
  const texts = guesses.slice(own).map((record) => text(record));
  const found = (at: number, inText: string): number => planted[at]!.entities.filter((entity) => inText.includes(entity)).length;
  const entities = planted.map(({ entities }, at) => ({ right: found(at, texts[at] ?? ''), of: entities.length }));
  const others = planted.map((_, at) => (planted.length > 1 ? found(at, texts[(at + 1) % planted.length] ?? '') : 0));
  return [
    share(inferred.tokens, tokens, constantGuess(ownIds.flat()), seed),
    share('ROUGE-L of the text', rouge, mean(blind), seed),
    ...(planted.length === 0 ? [] : [share(inferred.entities, entities, sum(others) / sum(entities.map(({ of }) => of)), seed)]),
  ];
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
const wordsOf = (text: string): string[] => text.match(/[\p{L}\p{N}]+/gu) ?? [];

/** F1 of the longest common subsequence of words. @see Lin 2004, "ROUGE", sec. 3 */
export function rougeL(wanted: readonly string[], got: readonly string[]): number {
  if (wanted.length === 0 || got.length === 0) return wanted.length === got.length ? 1 : 0;
  let before = new Uint32Array(got.length + 1);
  for (const word of wanted) {
    const row = new Uint32Array(got.length + 1);
    for (let at = 0; at < got.length; at++) row[at + 1] = got[at] === word ? before[at]! + 1 : Math.max(before[at + 1]!, row[at]!);
    before = row;
  }
  const common = before[got.length]!;
  return (2 * common) / (wanted.length + got.length);
}

/** A guess of the label of a token. */
export interface LabelGuess {
  /** Index of the labelled token; for classes it does not count. */
  readonly token: number;
  readonly label: number;
}

/** A record's own labels that a guess has right, whatever labels were sent. */
export function labelMeasures(guesses: readonly (readonly LabelGuess[])[], truth: Truth): readonly Measure[] {
  const { examples, own, classes, seed } = truth;
  const wanted = examples.slice(0, own).map((example) => labelsOf(example, classes !== undefined));
  const parts = wanted.map((labels, at) => ({
    right: (guesses[at] ?? []).filter(({ token, label }) => labels.get(classes === undefined ? token : 0) === label).length,
    of: labels.size,
  }));
  return [share(inferred.labels, parts, constantGuess(wanted.flatMap((labels) => [...labels.values()])), seed)];
}

/** The labels of a record by token; a class by 0. */
export function labelsOf({ tokenIds, labelMask, classLabel }: Truth['examples'][number], classes: boolean): ReadonlyMap<number, number> {
  if (classes) return new Map([[0, classLabel ?? 0]]);
  return new Map([...tokenIds.entries()].filter(([token]) => labelMask[token] === 1));
}
