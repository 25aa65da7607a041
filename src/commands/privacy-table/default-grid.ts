/** The settings of a table that none are named for: each defence alone, then some together. */
import type { defenceClaims } from '../../../clients/typescript/defences/claims.js';
import { entityKindNames } from '../../../clients/typescript/defences/entities.js';
import { UNDEFENDED } from './setting.js';

/** What a defence is tried with, by what it is told. */
interface Tried {
  /** Where the client holds no block below the cut. */
  readonly bare: readonly string[];
  /** Where it holds some. */
  readonly held: readonly string[];
}

const always = (...values: readonly string[]): Tried => ({ bare: values, held: values });
const KINDS = entityKindNames.join(',');
const LENGTHS = '32,64,128';

/** A row for each defence that there is. */
const triedOf: { readonly [Name in keyof typeof defenceClaims]: Tried } = {
  'row-noise': { bare: ['0.5', '1', '2'], held: ['1', '2', '3'] },
  'learned-noise': always('0.3'),
  'token-noise': { bare: ['1'], held: [] },
  'pad-lengths': always(LENGTHS),
  'label-noise': always('2', '6'),
  redact: always(KINDS),
};

const together = {
  bare: [`row-noise=1 redact=${KINDS}`],
  held: [`row-noise=1 redact=${KINDS}`, `row-noise=2 redact=${KINDS} pad-lengths=${LENGTHS}`],
};

/** Words of the settings at a cut. @param bottom Blocks below it that the client holds */
export function defaultGrid(bottom: number): readonly string[] {
  const side = bottom === 0 ? 'bare' : 'held';
  const alone = Object.entries(triedOf).flatMap(([name, tried]) => tried[side].map((value) => `${name}=${value}`));
  return [UNDEFENDED, ...alone, ...together[side]];
}
