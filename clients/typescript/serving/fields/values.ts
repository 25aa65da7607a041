/** Forms of fields' values; each names what was expected and what came. */

import { z } from 'zod';
import { shownJson } from '../../data/exact-numbers.js';

/** Longest list that a field may be. */
export const MOST_ITEMS = 4096;

const shown = (value: unknown): string => (value === undefined ? 'nothing' : (shownJson(value)?.slice(0, 60) ?? typeof value));

/** Says of any other value what was expected and what came. */
const says = (expected: string) => ({ error: ({ input }: { readonly input?: unknown }) => `expected ${expected}, got ${shown(input)}` });

/** A number for which a rule holds. */
export const numberWhere = (expected: string, holds: (value: number) => boolean) => z.number(says(expected)).refine(holds, says(expected));

/** A number within bounds. */
export const between = (least: number, most: number) =>
  numberWhere(`a number from ${least} to ${most}`, (value) => value >= least && value <= most);

/** A whole number within bounds. */
export const wholeBetween = (least: number, most: number) =>
  numberWhere(`a whole number from ${least} to ${most}`, (value) => Number.isInteger(value) && value >= least && value <= most);

/** A share of 1, above 0. */
export const share = numberWhere('a number above 0, at most 1', (value) => value > 0 && value <= 1);

export const truth = z.boolean(says('true or false'));

/** Any text, also an empty one. */
export const text = z.string(says('a text'));

/** One of some words. */
export const oneOf = <const Word extends string>(...words: readonly [Word, ...Word[]]) => z.enum(words, says(`one of ${words.join(', ')}`));

/** A list of bounded length. */
export const listOf = <Item>(item: z.ZodType<Item>, expected: string, most = MOST_ITEMS) =>
  z.array(item, says(expected)).max(most, `expected at most ${most} items`);

/** An object of any content. */
export const anyObject = z.record(z.string(), z.unknown(), says('an object'));
export const nothing = z.literal(undefined);
export { says };
