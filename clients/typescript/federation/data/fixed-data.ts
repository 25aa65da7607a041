/** Examples that do not change: a file that was read once, or one site of a simulation. */
import { createHash } from 'node:crypto';
import type { Broadcast } from '../../../../src/protocol/federation/chain.js';
import type { Example } from '../../data/examples.js';
import type { LocalData } from './local-data.js';

/** Trains on all in each round; they are fresh until this member's first aggregate. */
export function fixedData(training: readonly Example[], heldOut: readonly Example[] = []): LocalData {
  let fresh = training.length;
  const digest = examplesDigest(training);
  return {
    refresh: async () => undefined,
    get counts() {
      const none = { rejected: 0, duplicates: 0, files: 0, incomplete: 0, full: false };
      return { training: training.length, heldOut: heldOut.length, fresh, ...none };
    },
    newExamplesReady: (wanted) => fresh >= wanted,
    roundExamples: async () => ({ examples: training, digest, fresh, rehearsed: 0 }),
    heldOut: () => ({ current: heldOut, earlier: heldOut }),
    async observe(broadcast: Broadcast, member: string) {
      if (broadcast.kind === 'aggregate' && broadcast.participants.includes(member)) fresh = 0;
    },
    close: async () => undefined,
  };
}

/** sha256 over what training sees of examples, in their order. */
export function examplesDigest(examples: readonly Example[]): string {
  const hash = createHash('sha256');
  for (const { tokenIds, labelMask, classLabel, task } of examples) {
    hash.update(`${tokenIds.length},${classLabel ?? ''},${task ?? ''};`);
    hash.update(tokenIds).update(labelMask);
  }
  return hash.digest('hex');
}
