/** Records with made-up names and numbers: whether they come back is known without guessing. */
import { seeded } from '../../../src/tensor/random.js';
import type { Example } from '../data/examples.js';
import type { TextTokenizer } from '../data/text-tokenizer.js';

/** A planted record's secrets. */
export interface Planted {
  readonly entities: readonly string[];
}

interface PlantedOptions {
  readonly count: number;
  readonly most: number;
  readonly seed: number;
  readonly redaction?: (() => (text: string) => string) | undefined;
}

const first = ['Mara', 'Jonas', 'Priya', 'Tomas', 'Aiko', 'Leila', 'Oskar', 'Noemi'];
const last = ['Lindqvist', 'Okafor', 'Brandt', 'Castellano', 'Haruki', 'Novotny', 'Ferreira', 'Dunmore'];

/** @param most Tokens of a record. @param redaction Begins a record where texts are redacted. */
export function plantedRecords(
  tokenizer: Pick<TextTokenizer, 'encode'>,
  { count, most, seed, redaction }: PlantedOptions,
): readonly (Planted & { readonly example: Example })[] {
  const random = seeded(seed, 0x9a);
  const of = (list: readonly string[]): string => list[random.integer(list.length)]!;
  return Array.from({ length: count }, (_, at) => {
    const name = `${of(first)} ${of(last)}`;
    const number = `${1000 + random.integer(9000)}-${1000 + random.integer(9000)}`;
    const text = `Please call ${name}, account ${number}, about the order.`;
    const tokenIds = Int32Array.from(tokenizer.encode(redaction?.()(text) ?? text)).slice(0, most);
    const labelMask = new Uint8Array(tokenIds.length).fill(1, 1);
    return {
      entities: [name, number],
      example: { tokenIds, labelMask, promptLength: 0, classLabel: 0, task: 0, source: `planted:${at + 1}` },
    };
  });
}
