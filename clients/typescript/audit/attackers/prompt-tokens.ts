/**
 * A7: at k = 0 a soft prompt's rows cross at each step. Their nearest tokens may tell words of the
 * data.
 */
import { nearestTokens } from '../../inspect/nearest-tokens.js';
import { attacker } from '../attacker.js';
import { share } from '../metrics.js';
import { withoutPositions } from '../table-search.js';

/** Nearest tokens of each virtual token that are guesses. */
const NEAREST = 3;

interface PromptGuess {
  readonly vocabSize: number;
  /** Of each virtual token. */
  readonly nearest: readonly (readonly number[])[];
}

export const promptTokens = attacker<PromptGuess>({
  id: 'A7',
  title: "the soft prompt's nearest tokens",
  knows: 'the embedding table, and the rows of the soft prompt',
  says: 'a guess counts when a record has that token; a fresh prompt is made of drawn tokens, and says nothing of the data.',
  async skipped(view) {
    if (view.bundle.dims.bottom > 0) return "the prompt's own rows are below the blocks that the client holds, and are not sent";
    if ((await view.record(0)).prompt === undefined) return 'the adapter has no soft prompt';
    return undefined;
  },
  async attack({ bundle, record }, { signal }) {
    const { prompt } = await record(0);
    const rows = await withoutPositions(bundle, prompt!, 0, signal);
    const near = await nearestTokens(bundle, rows, NEAREST);
    return { vocabSize: bundle.vocabSize, nearest: near.map((tokens) => tokens.map(({ tokenId }) => tokenId)) };
  },
  score({ vocabSize, nearest }, { examples, own, seed }) {
    const used = new Set(examples.slice(0, own).flatMap(({ tokenIds }) => [...tokenIds]));
    const parts = nearest.map((tokens) => ({ right: tokens.filter((token) => used.has(token)).length, of: tokens.length }));
    return [share('nearest tokens that records have (interval over virtual tokens)', parts, used.size / vocabSize, seed)];
  },
});
