/**
 * The inputs of a target. The first ones are the corpus as it is; the others are mutations of it,
 * and inputs made by structure. Without guidance, input number `index` of a seed is always the
 * same.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { packageRoot } from '../../src/files/package-root.js';
import { seeded } from '../support/random.js';
import { mutated, pick, type Random } from './mutations.js';
import type { Target } from './target.js';

/**
 * Inputs made by structure at a time, as one of them alone costs as much as many; so many inputs in
 * a row begin with them.
 */
const MADE_AT_ONCE = 64;
const INPUTS_OF_MADE = 512;

/**
 * With guidance, most mutations begin with inputs that reached new code, and half of these with one
 * of the newest.
 */
const GROWN = 3 / 4;
const NEWEST = 64;

const NONE: readonly Uint8Array[] = [];

/** The committed inputs of a target, by name of their file. */
export function corpus(name: string): Uint8Array[] {
  const dir = join(packageRoot(), 'test', 'fuzz', 'corpus', name);
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .sort()
    .map((file) => readFileSync(join(dir, file)));
}

/** A number of 32 bits that depends on every bit of both. */
function mixed(a: number, b: number): number {
  let hash = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) | 0;
}

/**
 * The inputs of a target and a seed, by index.
 * @param grown Inputs that reached new code so far; the same list for as long as there are no
 *   others.
 */
export function inputsOf(
  name: string,
  { examples = [], made, words = [] }: Target,
  seed: number,
  grown: () => readonly Uint8Array[] = () => NONE,
): (index: number) => Uint8Array {
  const known = [...examples, ...corpus(name)];
  const first = [...known, ...grown()];
  const encoded = words.map((word) => Buffer.from(word));
  let block: { readonly number: number; readonly inputs: readonly Uint8Array[] } | undefined;
  let pool = { grown: grown(), all: first };

  function madeInput(arbitrary: fc.Arbitrary<Uint8Array>, index: number): Uint8Array {
    const number = Math.floor(index / INPUTS_OF_MADE);
    if (block?.number !== number) {
      block = { number, inputs: fc.sample(arbitrary, { seed: mixed(seed, number), numRuns: MADE_AT_ONCE }) };
    }
    return block.inputs[index % MADE_AT_ONCE]!;
  }

  function knownInput(random: Random): Uint8Array {
    const { length } = pool.grown;
    if (length === 0 || random() >= GROWN) return known[pick(random, known.length)] ?? new Uint8Array();
    const from = random() < 0.5 ? Math.max(0, length - NEWEST) : 0;
    return pool.grown[from + pick(random, length - from)]!;
  }

  return (index) => {
    if (index < first.length) return first[index]!;
    const now = grown();
    if (now !== pool.grown) pool = { grown: now, all: [...known, ...now] };
    const random = seeded(mixed(seed, index));
    const byStructure = made !== undefined && (pool.all.length === 0 || random() < 0.4);
    const base = byStructure ? madeInput(made, index) : knownInput(random);
    return byStructure && index % INPUTS_OF_MADE < MADE_AT_ONCE ? base : mutated(base, random, pool.all, encoded);
  };
}
