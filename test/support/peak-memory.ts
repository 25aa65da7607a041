/** The most resident memory that this process has had. */
import { readFileSync } from 'node:fs';

/** Bytes. On Linux `maxRSS` also counts the parent that the process was forked from, VmHWM does not. */
export function peakMemory(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;
}
