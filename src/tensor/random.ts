/**
 * A small seeded generator for reproducible training: data order, initial adapters, sampling. Not
 * for privacy or secure aggregation: those take a CSPRNG.
 * @see Blackman and Vigna, "Scrambled linear pseudorandom number generators" (xoshiro128**)
 */
import { elementCount, f32, type Tensor } from './tensor.js';

/** A deterministic stream of numbers. */
export interface Random {
  /** Uniform in [0, 1), 32 bits. */
  next(): number;
  /** Uniform integer in [0, bound); bound at most 2^32. */
  integer(bound: number): number;
  /** Standard normal. */
  normal(): number;
}

/** A generator of all the given numbers: `seeded(seed, epoch)` differs for every epoch. */
export function seeded(...seeds: readonly number[]): Random {
  const state = new Uint32Array(4);
  let mix = 0x9e3779b9;
  for (const seed of seeds) {
    mix = splitmix(mix ^ (seed >>> 0));
    mix = splitmix(mix ^ (Math.floor(seed / 2 ** 32) >>> 0));
  }
  for (let word = 0; word < 4; word++) {
    mix = (mix + 0x9e3779b9) >>> 0;
    state[word] = splitmix(mix);
  }
  if (state.every((word) => word === 0)) state[0] = 1;
  const bits = () => xoshiro(state);
  const next = () => bits() / 2 ** 32;
  return {
    next,
    integer(bound) {
      // Rejection keeps every value equally likely.
      const limit = 2 ** 32 - (2 ** 32 % bound);
      let value = bits();
      while (value >= limit) value = bits();
      return value % bound;
    },
    normal() {
      const radius = Math.sqrt(-2 * Math.log(1 - next()));
      return radius * Math.cos(2 * Math.PI * next());
    },
  };
}

/** Shuffles in place (Fisher-Yates). */
export function shuffle<T>(items: T[], random: Random): T[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = random.integer(last + 1);
    const held = items[last] as T;
    items[last] = items[other] as T;
    items[other] = held;
  }
  return items;
}

function splitmix(value: number): number {
  let mixed = value >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

function xoshiro(state: Uint32Array): number {
  const [s0, s1, s2, s3] = state as unknown as [number, number, number, number];
  const rotated = Math.imul(s1, 5);
  const result = Math.imul((rotated << 7) | (rotated >>> 25), 9) >>> 0;
  const t2 = s2 ^ s0;
  const t3 = s3 ^ s1;
  state[0] = s0 ^ t3;
  state[1] = s1 ^ t2;
  state[2] = t2 ^ (s1 << 9);
  state[3] = (t3 << 11) | (t3 >>> 21);
  return result;
}

/** Uniform in [-bound, bound). */
export function uniformTensor(random: Random, shape: readonly number[], bound: number): Tensor<'float32'> {
  return drawn(shape, () => bound * (2 * random.next() - 1));
}

/** Normal with a mean and a spread. */
export function normalTensor(random: Random, shape: readonly number[], mean: number, std: number): Tensor<'float32'> {
  return drawn(shape, () => mean + std * random.normal());
}

function drawn(shape: readonly number[], next: () => number): Tensor<'float32'> {
  return f32(shape, Float32Array.from({ length: elementCount(shape) }, next));
}
