/**
 * The inputs of a target. Input number `index` of a seed is always the same, so a process that dies leaves behind all that is needed to
 * find its input: the index. The first ones are the corpus as it is; the others are mutations of it, and inputs made by structure.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { packageRoot } from '../../src/files/package-root.js';
import { seeded } from '../support/random.js';
import { mutated, pick } from './mutations.js';
import type { Target } from './target.js';

/** Inputs made by structure at a time, as one of them alone costs as much as many; so many inputs in a row begin with them. */
const MADE_AT_ONCE = 64;
const INPUTS_OF_MADE = 512;

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

/** The inputs of a target and a seed, by index. */
export function inputsOf(name: string, { examples = [], made, words = [] }: Target, seed: number): (index: number) => Uint8Array {
  const known = [...examples, ...corpus(name)];
  const encoded = words.map((word) => Buffer.from(word));
  let block: { readonly number: number; readonly inputs: readonly Uint8Array[] } | undefined;

  function madeInput(arbitrary: fc.Arbitrary<Uint8Array>, index: number): Uint8Array {
    const number = Math.floor(index / INPUTS_OF_MADE);
    if (block?.number !== number) {
      block = { number, inputs: fc.sample(arbitrary, { seed: mixed(seed, number), numRuns: MADE_AT_ONCE }) };
    }
    return block.inputs[index % MADE_AT_ONCE]!;
  }

  return (index) => {
    if (index < known.length) return known[index]!;
    const random = seeded(mixed(seed, index));
    const byStructure = made !== undefined && (known.length === 0 || random() < 0.4);
    const base = byStructure ? madeInput(made, index) : (known[pick(random, known.length)] ?? new Uint8Array());
    return byStructure && index % INPUTS_OF_MADE < MADE_AT_ONCE ? base : mutated(base, random, known, encoded);
  };
}
