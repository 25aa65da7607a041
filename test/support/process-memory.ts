/** What a process holds in memory and has used of the processor, as Linux counts it. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const field = (file: string, name: string): number => {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(file, 'utf8'));
  if (found === null) throw new Error(`test: no field ${name} in ${file}`);
  return Number(found[1]) * 1024;
};

/** Resident bytes of a process now. */
export const residentBytes = (pid: number): number => field(`/proc/${pid}/status`, 'VmRSS');

/** The most resident bytes that a process has had. */
export const peakBytes = (pid: number): number => field(`/proc/${pid}/status`, 'VmHWM');

/** Private memory that is not a file's: heaps and buffers. */
export const anonymousBytes = (): number => field('/proc/self/status', 'RssAnon');

/** A full collection: what other tests of this process left is freed. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What a collection leaves for finalizers goes with the next one.
  collect();
  collect();
}

/**
 * What is reachable: objects of this thread's heap and buffers of the process, after a full
 * collection.
 */
export const heldBytes = (): number => {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage(); // external: buffers included
  return heapUsed + external;
};

/** All memory, pages that are mapped several times or shared counted by their share. */
export const sharedOutBytes = (): number => field('/proc/self/smaps_rollup', 'Pss');

/** A tick of the counts in proc(5), stat: 100 a second on Linux. */
const TICK_MS = 10;

/** Milliseconds of the processor's time that a process has used. */
export function processorMs(pid: number): number {
  // Its name, in parentheses, may hold spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
