/** What this process holds in memory, as Linux counts it. */
import { readFileSync } from 'node:fs';

const field = (file: string, name: string): number => {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(file, 'utf8'));
  if (found === null) throw new Error(`test: no field ${name} in ${file}`);
  return Number(found[1]) * 1024;
};

/** Private memory that is not a file's: heaps and buffers. */
export const anonymousBytes = (): number => field('/proc/self/status', 'RssAnon');

/** All memory, pages that are mapped several times or shared counted by their share. */
export const sharedOutBytes = (): number => field('/proc/self/smaps_rollup', 'Pss');
