/**
 * What a machine must be like so that a gateway keeps nothing. None of its memory may reach a disk,
 * by swap or by a core dump.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../errors.js';

/** Texts of the kernel; undefined where it has none. */
export interface KernelTexts {
  /** `/proc/swaps` */
  readonly swaps: string | undefined;
  /** `memory.swap.max` of the process's control group. */
  readonly swapMax: string | undefined;
  /** `/proc/self/limits` */
  readonly limits: string | undefined;
  /** `/proc/self/coredump_filter`: kinds of memory that a core dump has. */
  readonly dumped: string | undefined;
}

/** What the machine would keep, each with what mends it. */
export function keptByMachine({ swaps, swapMax, limits, dumped }: KernelTexts): readonly string[] {
  const found: string[] = [];
  const places = swaps?.trim().split('\n').slice(1);
  if (places === undefined) found.push('the kernel does not say whether there is swap; run it on Linux, with /proc');
  else if (places.length > 0 && swapMax?.trim() !== '0')
    found.push(`memory may be swapped to ${places[0]!.split(/\s/)[0]}; turn swap off (swapoff -a), or give the service MemorySwapMax=0`);
  if (!/^Max core file size\s+0\s/m.test(limits ?? '')) found.push('core dumps are on; start it with ulimit -c 0 (LimitCORE=0)');
  if (!/^0+$/.test(dumped?.trim() ?? '')) found.push('core dumps would have memory in them; /proc/self/coredump_filter cannot be written');
  return found;
}

/**
 * Takes memory out of core dumps of this process, and looks for other ways to a disk.
 * @throws CutlayerError INVALID_OPTION saying what to change
 */
export async function requireNothingKept(): Promise<void> {
  const filter = '/proc/self/coredump_filter';
  // What reads it back tells whether this has worked.
  await writeFile(filter, '0').catch(() => undefined);
  const group = (await textOf('/proc/self/cgroup'))?.match(/^0::(.*)$/m)?.[1];
  const kept = keptByMachine({
    swaps: await textOf('/proc/swaps'),
    swapMax: group === undefined ? undefined : await textOf(join('/sys/fs/cgroup', group, 'memory.swap.max')),
    limits: await textOf('/proc/self/limits'),
    dumped: await textOf(filter),
  });
  if (kept.length > 0) throw new CutlayerError('INVALID_OPTION', `--keep-nothing: ${kept.join('; ')}`);
}

const textOf = (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(() => undefined);
