/** Small data files for training the llama-tiny fixture. */
import { writeFileSync } from 'node:fs';
import { seeded } from '../../src/tensor/random.js';

const parts = ['pump', 'valve', 'sensor', 'filter', 'motor', 'pipe'];
const signs = ['lost pressure', 'runs hot', 'leaks oil', 'stopped', 'is noisy'];
const sites = ['north hall', 'south yard', 'line three', 'dock'];

/** Records of the form `{prompt, completion}`: a note and the part that it speaks of. */
export function writeNotes(file: string, count: number, seed: number): readonly { readonly prompt: string; readonly completion: string }[] {
  const random = seeded(seed);
  const pick = (list: readonly string[]) => list[random.integer(list.length)]!;
  const records = Array.from({ length: count }, () => {
    const part = pick(parts);
    return { prompt: `The ${part} ${pick(signs)}${random.next() < 0.5 ? ` at ${pick(sites)}` : ''}. Which part?`, completion: ` ${part}` };
  });
  writeFileSync(file, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  return records;
}
