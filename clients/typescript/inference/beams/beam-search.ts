/**
 * Beam search over the tokens after one prompt, as `generate(num_beams=…, do_sample=False)` of
 * transformers 5 does it (`_beam_search`): the state alone, without a model.
 */
import { CutlayerError } from '../../../../src/errors.js';

/** Most beams, and so most decode sessions of a search. */
export const MOST_BEAMS = 64;

export interface BeamSettings {
  /** Texts that grow side by side. */
  readonly numBeams: number;
  /** A text's score is its log probability, divided by its length to this power. */
  readonly lengthPenalty: number;
  /**
   * True: ends with `numBeams` ended texts. False: when the best text that grows scores no more
   * than the worst ended one. `never`: as false, but it may still reach the score of the longest
   * text.
   */
  readonly earlyStopping: boolean | 'never';
  readonly maxNewTokens: number;
  /** Ids at which a text ends; they count in its length. */
  readonly stopTokenIds: ReadonlySet<number>;
}

/** A text that grows. */
export interface Beam {
  /** Tokens after the prompt. */
  readonly ids: readonly number[];
  /** Sum over its tokens. */
  readonly logprob: number;
  /** Which of the beams before this step it continues. */
  readonly parent: number;
}

/** A text that has ended. */
export interface EndedBeam {
  /** Tokens after the prompt, without the stop token. */
  readonly ids: readonly number[];
  readonly score: number;
  readonly finish: 'stop' | 'length';
}

export class BeamSearch {
  readonly #settings: BeamSettings;
  #running: readonly Beam[] = [{ ids: [], logprob: 0, parent: 0 }];
  #ended: readonly EndedBeam[] = [];
  #done = false;

  constructor(settings: BeamSettings) {
    this.#settings = settings;
  }

  /** At first one, without tokens; then `numBeams`, the most probable first. */
  get running(): readonly Beam[] {
    return this.#running;
  }

  /** At most `numBeams`, the best first. */
  get ended(): readonly EndedBeam[] {
    return this.#ended;
  }

  get done(): boolean {
    return this.#done;
  }

  /**
   * Lets each beam grow by a token.
   * @param logprobs [vocabulary] after each running beam
   * @throws CutlayerError INVALID_ARGUMENT when no token is left to choose
   */
  step(logprobs: readonly Float32Array[]): void {
    const { numBeams, lengthPenalty, earlyStopping, maxNewTokens, stopTokenIds } = this.#settings;
    // So many that numBeams go on, whichever end.
    const candidates = mostProbable(this.#running, logprobs, Math.max(2, 1 + stopTokenIds.size) * numBeams);
    if (candidates.length === 0)
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        'generate: no token is left to choose; every one is ruled out by bias, n-grams or minTokens',
      );
    const length = this.#running[0]!.ids.length + 1;
    const ended = [...this.#ended];
    const running: Beam[] = [];
    for (const [rank, { beam, id, logprob }] of candidates.entries()) {
      const { ids } = this.#running[beam]!;
      const stops = stopTokenIds.has(id);
      const score = logprob / length ** lengthPenalty;
      if (!stops && length < maxNewTokens) running.push({ ids: [...ids, id], logprob, parent: beam });
      else if (rank < numBeams) ended.push({ ids: stops ? ids : [...ids, id], score, finish: stops ? 'stop' : 'length' });
    }
    this.#ended = ended.sort((a, b) => b.score - a.score).slice(0, numBeams);
    this.#running = running.slice(0, numBeams);
    const reach = earlyStopping === 'never' && lengthPenalty > 0 ? maxNewTokens : length;
    const best = (this.#running[0]?.logprob ?? Number.NEGATIVE_INFINITY) / reach ** lengthPenalty;
    const full = this.#ended.length === numBeams;
    this.#done = this.#running.length === 0 || (full && (earlyStopping === true || best <= this.#ended.at(-1)!.score));
  }
}

interface Candidate {
  readonly beam: number;
  readonly id: number;
  readonly logprob: number;
}

/** The most probable continuations of all beams, the first of equals first. */
function mostProbable(beams: readonly Beam[], logprobs: readonly Float32Array[], count: number): readonly Candidate[] {
  const found: Candidate[] = [];
  let least = Number.NEGATIVE_INFINITY;
  for (const [beam, { logprob: before }] of beams.entries()) {
    for (const [id, added] of logprobs[beam]!.entries()) {
      const logprob = before + added;
      if (!(logprob > least)) continue;
      let at = found.length;
      while (at > 0 && found[at - 1]!.logprob < logprob) at--;
      found.splice(at, 0, { beam, id, logprob });
      if (found.length > count) found.pop();
      if (found.length === count) least = found.at(-1)!.logprob;
    }
  }
  return found;
}
