/**
 * A1: the vendor made the blocks that the client holds. So it runs every candidate for the first
 * token through them, and keeps the one whose row is nearest to the row that was sent. Then it goes
 * on with the next token. Without noise a candidate's row is that row, and the search is exact.
 */
import type { Tensor } from '../../../../src/tensor/tensor.js';
import type { StepParts } from '../../adapters/adapter.js';
import { type AttackRun, attacker, type VendorView } from '../attacker.js';
import { CandidateRows } from '../candidate-rows.js';
import { LikelyTokens } from '../likely-tokens.js';
import { tokenMeasures } from '../metrics.js';
import { RowChannel } from '../row-channel.js';
import { tooLarge } from '../skip-reasons.js';
import { matches } from '../wire-matches.js';

/** Tokens that are tried at each place. */
const MOST_CANDIDATES = 4096;
/** Of the first run: often the token is among them. */
const FIRST_CANDIDATES = 64;
/** And no other candidate of the run may come nearly as near. */
const CLEARLY = 3;

export const prefixSearch = attacker<readonly (readonly number[])[]>({
  id: 'A1',
  title: 'prefix search through the held blocks',
  knows: "the held blocks as the vendor made them, the adapter's virtual tokens, and the values of a learned transform of rows",
  says: `token by token, up to ${MOST_CANDIDATES.toLocaleString('en-US')} candidates are run through the held blocks; the nearest row is the guess.`,
  async skipped({ bundle }) {
    const { bottom, hiddenSize } = bundle.dims;
    if (bottom === 0) return 'the client holds no bottom block; see A0';
    if (!bundle.decoders.complete)
      return 'the bundle was packed without graphs to decode through its blocks; the vendor must pack it again';
    return tooLarge("the vocabulary's rows", bundle, hiddenSize);
  },
  async attack(view, run) {
    const likely = await LikelyTokens.open(view.bundle, run.signal);
    const guesses: (readonly number[])[] = [];
    for (let at = 0; at < view.records; at++) {
      guesses.push(await run.kept(`record ${at}`, () => throughBlocks(view, likely, at, run)));
      run.progress(at + 1, view.records);
    }
    return guesses;
  },
  score: tokenMeasures,
});

/** What training has made of the held blocks is a secret: no vendor needs to have it. */
async function throughBlocks(view: VendorView, likely: LikelyTokens, at: number, { signal }: AttackRun): Promise<readonly number[]> {
  const { blockWeights: _, ...parts } = await view.parts(at);
  return prefixTokens(view, likely, { at, parts, signal });
}

/** What is searched: a record, through blocks with these trained weights, if any. */
export interface SearchedRecord {
  readonly at: number;
  readonly parts: Pick<StepParts, 'softPrompt' | 'prefix' | 'blockWeights'>;
  readonly signal?: AbortSignal | undefined;
}

/** The tokens of a record. */
export async function prefixTokens(
  view: Pick<VendorView, 'bundle' | 'wire' | 'record' | 'rowTransform'>,
  likely: LikelyTokens,
  { at, parts, signal }: SearchedRecord,
): Promise<readonly number[]> {
  const { rows } = await view.record(at);
  const [count, d] = rows.shape as [number, number];
  const behind = new CandidateRows(view.bundle, parts);
  const channel = view.rowTransform && new RowChannel(view.rowTransform, view.wire);
  const guess: number[] = [];
  for (let place = 0; place < count; place++) {
    const row = rows.data.subarray(place * d, (place + 1) * d);
    const token = await nearestCandidate(behind, likely, row, { match: matches[view.wire], channel, signal });
    await behind.choose(token);
    guess.push(token);
  }
  return guess;
}

interface CandidateSearch {
  readonly match: number;
  /** The law of a learned transform, by which candidates are told apart. */
  readonly channel: RowChannel | undefined;
  readonly signal: AbortSignal | undefined;
}

async function nearestCandidate(
  behind: CandidateRows,
  likely: LikelyTokens,
  row: Float32Array,
  { match, channel, signal }: CandidateSearch,
): Promise<number> {
  let best = { token: 0, distance: Number.POSITIVE_INFINITY };
  const near = match * Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
  // A learned shift is taken out, so that tokens are tried in a good order.
  const ranked = channel?.unshifted(row) ?? row;
  const ranking = likely.of(ranked);
  for (let tried = 0; tried < MOST_CANDIDATES; ) {
    signal?.throwIfAborted();
    const candidates = ranking.next(Math.min(behind.width, tried === 0 ? FIRST_CANDIDATES : MOST_CANDIDATES - tried));
    if (candidates.length === 0) break;
    tried += candidates.length;
    const found = await behind.run(candidates, signal);
    const learned = likely.learn(ranked, candidates, found);
    const distances = channel === undefined ? learned : candidates.map((_, at) => -likelihoodOf(channel, row, found, at));
    let second = Number.POSITIVE_INFINITY;
    for (const [at, distance] of distances.entries()) {
      second = Math.min(second, Math.max(distance, best.distance));
      if (distance < best.distance) best = { token: candidates[at]!, distance };
    }
    if (channel === undefined && best.distance < near && second > CLEARLY * best.distance) break;
  }
  return best.token;
}

function likelihoodOf(channel: RowChannel, row: Float32Array, { data }: Tensor<'float32'>, at: number): number {
  return channel.judge(row, channel.lawOf(data.subarray(at * row.length, (at + 1) * row.length))).logLikelihood;
}
