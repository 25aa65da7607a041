/** Stored records as examples of the model that is trained now. */
import type { Example } from '../data/examples.js';
import type { ArrivedExample } from './stored-example.js';
import type { Trainer } from './trainer.js';

/** What could be read. */
export interface ReadExamples {
  readonly examples: readonly Example[];
  /** Place in the order of arrival of each example; a long text gives several. */
  readonly ordinals: readonly number[];
  /** Records that the model's tokenizer or limits do not take. */
  readonly unread: number;
  /** Of the first of them. */
  readonly reason: string;
}

export function readExamples(stored: readonly ArrivedExample[], trainer: Pick<Trainer, 'read'>): ReadExamples {
  const examples: Example[] = [];
  const ordinals: number[] = [];
  const reasons: string[] = [];
  for (const { record, ordinal } of stored) {
    const read = trainer.read(record, `example ${ordinal}`);
    if ('reason' in read) reasons.push(read.reason);
    else
      for (const example of read.examples) {
        examples.push(example);
        ordinals.push(ordinal);
      }
  }
  return { examples, ordinals, unread: reasons.length, reason: reasons[0] ?? '' };
}
