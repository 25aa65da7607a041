/** Which record each example is, for noise of its own that is the same in all rounds and starts. */
import type { Example } from '../../data/examples.js';
import type { StoredRecord } from './example-store.js';
import { examplesDigest } from './fixed-data.js';

/** Of a file: by content, wherever it stands; the same again is another record. */
export function ownRecords(examples: readonly Example[]): readonly Example[] {
  const times = new Map<string, number>();
  return examples.map((example) => {
    const digest = examplesDigest([example]);
    const time = times.get(digest) ?? 0;
    times.set(digest, time + 1);
    return { ...example, record: `${digest} ${time}` };
  });
}

/** Of a folder, where the same again counts once. */
export function examplesOf(records: readonly StoredRecord[]): readonly Example[] {
  return records.flatMap(({ hash, examples }) => examples.map((example, at) => ({ ...example, record: `${hash} ${at}` })));
}
