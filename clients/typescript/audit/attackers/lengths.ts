/**
 * A5: what sizes and times alone say: tokens of each record, label tokens, and which records look
 * alike. Between answer and cotangents a client computes the loss of its labels, however padded.
 */
import { attacker } from '../attacker.js';
import { constantGuess, labelsOf, share } from '../metrics.js';
import { rocMeasures } from '../roc.js';

interface Sizes {
  readonly tokens: number;
  /** Rows that were wanted back; 0: all, which says nothing of labels. */
  readonly wanted: number;
  /** Milliseconds of the client's loss; absent where no cotangent was sent. */
  readonly lossMs?: number;
}

export const lengths = attacker<readonly Sizes[]>({
  id: 'A5',
  title: 'sizes, lengths and times',
  knows: 'the shapes and lengths in each message and when it came, no value of it',
  says: 'sizes cross in the clear by design; the time is that from the answer to the cotangents, on this machine and without a network between.',
  async skipped() {
    return undefined;
  },
  async attack(view) {
    const sizes: Sizes[] = [];
    for (let at = 0; at < view.records; at++) {
      const { length, positions, lossMs } = await view.record(at);
      sizes.push({ tokens: length, wanted: positions.length, ...(lossMs !== undefined && { lossMs }) });
    }
    return sizes;
  },
  score(guess, { examples, sent, own, classes, seed }) {
    const tokens = sent.slice(0, own).map(({ tokenIds }) => tokenIds.length);
    const labels = examples.slice(0, own).map((example) => labelsOf(example, classes !== undefined).size);
    const wanted = guess.slice(0, own);
    const look = wanted.map((sizes) => `${sizes.tokens} ${sizes.wanted}`);
    const middle = [...labels].sort((a, b) => a - b)[Math.floor(labels.length / 2)]!;
    const times = (many: boolean) => wanted.flatMap(({ lossMs }, at) => (labels[at]! > middle === many ? (lossMs ?? []) : []));
    const alone = look.map((one) => ({ right: look.filter((other) => other === one).length === 1 ? 1 : 0, of: 1 }));
    const exact = (known: (sizes: Sizes) => number, truth: readonly number[]) =>
      truth.map((count, at) => ({ right: known(wanted[at]!) === count ? 1 : 0, of: 1 }));
    return [
      share(
        'records whose number of tokens is known',
        exact((sizes) => sizes.tokens, tokens),
        constantGuess(tokens),
        seed,
      ),
      ...(wanted.some((sizes) => sizes.wanted > 0)
        ? [
            share(
              'records whose number of labels is known',
              exact((sizes) => sizes.wanted, labels),
              constantGuess(labels),
              seed,
            ),
          ]
        : []),
      share('records that no other record looks like', alone, 0, seed),
      ...rocMeasures(
        'records with more labels than the median, by the time of the loss',
        { wanted: times(true), others: times(false) },
        seed,
      ),
    ];
  },
});
