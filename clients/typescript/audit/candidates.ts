/**
 * Records that an attacker of membership knows and asks about: those that are audited, and some
 * that no training has seen. Each crosses with the adapter and without, once.
 */
import { join } from 'node:path';
import type { Adapter, StepParts } from '../adapters/adapter.js';
import type { Example } from '../data/examples.js';
import type { SeenRecord } from './seen.js';
import { partsFor, Trace, type TraceOptions, takeTrace } from './trace.js';

/** One of them. */
export interface Candidate {
  readonly example: Example;
  /** The adapter's values in its step. */
  parts(): Promise<StepParts>;
  seen(): Promise<SeenRecord>;
  /** Its step with the bare model, which the vendor can make itself of the rows. */
  bare(): Promise<SeenRecord>;
}

/** Whose records, and where their traces are kept. */
export interface CandidateOptions extends Omit<TraceOptions, 'examples' | 'onProgress'> {
  readonly adapter: Adapter;
  /** Those whose trace with the adapter is taken already. */
  readonly members: readonly Example[];
  readonly nonMembers: readonly Example[];
  readonly dir: string;
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined;
}

/** Sends what has not been sent; without non-members nothing. @throws CutlayerError of the calls */
export async function takeCandidates(options: CandidateOptions): Promise<readonly Candidate[]> {
  const { members, nonMembers, trace, dir, adapter, onProgress, ...shared } = options;
  const told = (what: string) => ({ onProgress: (done: number, total: number) => onProgress?.(`sending ${what}: record`, done, total) });
  if (nonMembers.length === 0) return [];
  const [others, bare] = [new Trace(join(dir, 'trace-non-members')), new Trace(join(dir, 'trace-bare'))];
  const all = [...members, ...nonMembers];
  await takeTrace({ ...shared, ...told('others'), adapter, examples: nonMembers, trace: others });
  // The vendor has the rows as they were sent.
  const { rowTransform } = await partsFor(adapter, members[0]!);
  const without = { adapter: undefined, ...(rowTransform && { bare: { rowTransform } }) };
  await takeTrace({ ...shared, ...told('without the adapter'), ...without, examples: all, trace: bare });
  return all.map((example, at) => ({
    example,
    parts: () => partsFor(adapter, example),
    seen: () => (at < members.length ? trace.read(at) : others.read(at - members.length)),
    bare: () => bare.read(at),
  }));
}
