/**
 * Which waiting jobs make room for a new one, a pure function. Places and bytes are bounded for all
 * tenants together. When they are used up, the tenant with most gives its newest waiting job. It
 * must have more than the new job's tenant will have. So a tenant alone may use everything, and a
 * tenant within its share is never refused because of others.
 */

import { Shares } from '../../server/shares.js';
import type { FairQueue, Turn } from './fair-queue.js';
import type { MemoryBudget } from './memory-budget.js';

/** A waiting job and the bytes that its call holds. */
export interface WaitingJob extends Turn {
  readonly callBytes: number;
}

/** The places of the queue. @returns the job to take out; undefined when none has to give */
export function displacedByPlace<Job extends WaitingJob>(queue: FairQueue<Job>, tenant: string): Job | undefined {
  const places = new Shares();
  for (const one of queue.tenants()) places.add(one, queue.waitingOf(one));
  const heaviest = places.giverTo(tenant);
  return heaviest === undefined ? undefined : queue.newestOf(heaviest)[0];
}

/**
 * The bytes of calls.
 * @returns the jobs to take out, none when the bytes fit; undefined when they cannot be made to fit
 */
export function displacedByBytes<Job extends WaitingJob>(
  queue: FairQueue<Job>,
  budget: MemoryBudget,
  tenant: string,
  bytes: number,
): readonly Job[] | undefined {
  let excess = budget.callExcess(bytes);
  if (excess <= 0) return [];
  const held = new Shares();
  const left = new Map<string, Job[]>();
  for (const one of queue.tenants()) {
    held.add(one, budget.calls.of(one));
    left.set(one, queue.newestOf(one));
  }
  const after = budget.calls.of(tenant) + bytes;
  const displaced: Job[] = [];
  while (excess > 0) {
    const heaviest = held.heaviest((one) => (left.get(one)?.length ?? 0) > 0);
    if (heaviest === undefined || held.of(heaviest) <= after) return undefined;
    const job = left.get(heaviest)!.shift()!;
    displaced.push(job);
    held.add(heaviest, -job.callBytes);
    excess -= job.callBytes;
  }
  return displaced;
}
